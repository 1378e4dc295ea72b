/** What callers of /v1/messages may ask for beside a model: beta features, tools of the upstream, MCP servers. */
import { Refusal } from '../errors.ts'
import { matchesAny } from '../glob.ts'
import { comparableName } from '../models/name.ts'
import type { HeaderPairs } from '../ports.ts'
import type { Settings } from '../settings.ts'
import type { Inspected } from './inspect.ts'
import type { Named } from './named.ts'

type Features = Settings['messages']

const THREADS = /^message-threads-/i
/** By this code Anthropic's SDKs, which begin a thread unasked where they run tools, go on without one. */
export const NO_THREADS = { errorCode: 'thread_unsupported_request' }

const EVERYTHING = '*'

/** Throws a Refusal body_invalid that names what is not allowed, and where it stands. */
export function assertFeatures(
  features: Features,
  { betas, named }: Pick<Inspected, 'betas'> & { named: Pick<Named, 'serverTools' | 'mcpServers'> },
  headers: HeaderPairs,
): void {
  if (!isOpen(features.betas)) assertBetas(features, betas, headers)
  for (const { type, path } of named.serverTools) {
    const name = comparableName(type).toLowerCase()
    if (!features.webSearch && name.startsWith('web_search')) {
      throw refused(path, 'web search is not switched on here')
    }
    if (!matchesAny(features.serverTools, name)) throw refused(path, `the tool ${type} is not allowed here`)
  }
  for (const { url, path } of named.mcpServers) {
    if (!isAllowedServer(features.mcpServers, url)) throw refused(path, 'this MCP server is not allowed here')
  }
}

function assertBetas(features: Features, inBody: Inspected['betas'], headers: HeaderPairs) {
  const inHeaders = headers
    .filter(([name]) => name === 'anthropic-beta')
    .flatMap(([, value]) => value.split(','))
  const asked = [
    ...inHeaders.map((beta) => ({ beta, path: 'anthropic-beta' })),
    ...inBody.map(({ beta, path }) => ({ beta, path })),
  ]
  for (const { beta, path } of asked) {
    if (beta === undefined) throw refused(path, 'a name is expected')
    const name = comparableName(beta)
    if (name !== '' && !matchesAny(features.betas, name)) {
      const said = `the beta ${name.slice(0, 100)} is not allowed here`
      throw refused(path, said, THREADS.test(name) ? NO_THREADS : {})
    }
  }
}

/** A pattern is an address: its scheme and host are matched by themselves, so that no path can look like a host. */
function isAllowedServer(patterns: readonly string[], address: string): boolean {
  if (isOpen(patterns)) return true
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (!url) return false
  return patterns.some((pattern) => {
    const [, origin = '', path = ''] = /^(https?:\/\/[^/]+)(.*)$/.exec(pattern) ?? []
    return (
      matchesAny([origin], url.origin) &&
      (path === '' || matchesAny([path], url.pathname + url.search)) &&
      url.username + url.password === ''
    )
  })
}

const isOpen = (patterns: readonly string[]) => patterns.includes(EVERYTHING)

function refused(path: string, problem: string, named: { errorCode?: string } = {}): Refusal {
  return new Refusal('body_invalid', `${path}: ${problem}.`, named)
}
