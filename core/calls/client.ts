/** Which program makes a call, and for which project: what reports tell calls apart by. */
import { headerOf } from '../http/headers.ts'
import type { Clock, HeaderPairs } from '../ports.ts'
import { DAY_MS } from '../units.ts'

/**
 * Programs by the beginning of their user agent, in lower case. A closed list, because whoever calls can send any text, and
 * each name is a row of every report.
 */
const CLIENTS: readonly (readonly [name: string, agent: RegExp])[] = [
  ['claude-code', /^claude-(cli|code)\//],
  ['claude-desktop', /^mozilla\/.{0,100} claude\/\d/],
  ['codex', /^codex[\w-]{0,40}[ /]/],
  ['opencode', /^opencode\//],
  ['cline', /^cline\//],
  ['cursor', /^cursor\//],
  ['zed', /^zed\//],
  ['anthropic-sdk', /^(async)?anthropic\w{0,20}\//],
  ['openai-sdk', /^(async)?(azure)?openai\w{0,20}\//],
  ['ai-sdk', /^ai(-sdk)?\//],
  ['langchain', /^langchain/],
  ['litellm', /^litellm/],
  ['curl', /^curl\//],
  ['python', /^python(-requests|-httpx|-urllib)?\/|^aiohttp\//],
  ['node', /^(node|node-fetch|undici|axios|got)([ /]|$)/],
  ['go', /^go-http-client\//],
  ['browser', /^mozilla\//],
]
/** Calls of the gateway's own. */
export const GATEWAY_CLIENT = 'gateway'
const OTHER_CLIENT = 'other'
export const CLIENT_NAMES: readonly string[] = [
  ...CLIENTS.map(([name]) => name),
  GATEWAY_CLIENT,
  OTHER_CLIENT,
]
/** Tools that a person sits at; whatever else calls may be a program that goes on without them. */
const TOOLS = new Set([
  'claude-code',
  'claude-desktop',
  'codex',
  'opencode',
  'cline',
  'cursor',
  'zed',
  'browser',
])

export function isProgram(client: string): boolean {
  return !TOOLS.has(client)
}

const READ_CHARACTERS = 200
/** The names of agents that called lately: a program sends the same with each call. */
const lately = new Map<string, string>()
const MOST_REMEMBERED = 500

/** The name of the program that sent these headers, `other` for all that are not listed. */
export function clientOf(headers: HeaderPairs): string {
  const whole = headerOf(headers, 'user-agent') ?? ''
  const agent = whole.slice(0, READ_CHARACTERS)
  const remembered = lately.get(agent)
  if (remembered !== undefined) return remembered
  const inLowerCase = agent.toLowerCase()
  const name = CLIENTS.find(([, pattern]) => pattern.test(inLowerCase))?.[0] ?? OTHER_CLIENT
  // The beginning of a longer one would keep all of it in memory.
  if (agent.length < whole.length) return name
  if (lately.size >= MOST_REMEMBERED) lately.clear()
  lately.set(agent, name)
  return name
}

const PROJECT_HEADER = 'x-claude-gateway-project'
const PROJECT = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$/

/** The project that these headers name; '' if they name none, or not in letters, digits and . _ / - up to 64 characters. */
export function projectOf(headers: HeaderPairs): string {
  const named = headerOf(headers, PROJECT_HEADER)
  return named !== undefined && PROJECT.test(named) ? named : ''
}

/** Stands for the projects beyond the most that are told apart. No project can have this name. */
export const OTHER_PROJECTS = '(other)'
const MOST_PROJECTS = 50

export interface Projects {
  /** The project as a call is recorded with it. */
  recorded(userId: number, project: string): string
}

/**
 * Tells at most 50 projects of a person apart in a day (UTC, and in this process), because every project has its own rows in the
 * sums: a program that sends a new one with each call would make them as many as the calls.
 */
export function createProjects({ clock }: { clock: Pick<Clock, 'now'> }): Projects {
  let day = 0
  let known = new Map<number, Set<string>>()
  return {
    recorded(userId, project) {
      if (project === '') return ''
      const today = Math.floor(clock.now() / DAY_MS)
      if (today !== day) {
        day = today
        known = new Map()
      }
      const own = known.get(userId) ?? new Set()
      known.set(userId, own)
      if (!own.has(project) && own.size >= MOST_PROJECTS) return OTHER_PROJECTS
      own.add(project)
      return project
    },
  }
}
