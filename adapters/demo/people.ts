/** Who works at the demo's company, and how. */

const OPUS = 'claude-opus-5-5'
const SONNET = 'claude-sonnet-5-5'
const HAIKU = 'claude-haiku-5-5'
const CLAUDE_CODE = 'claude-cli/2.1.90 (external, cli)'
/** A model that needs approval. */
export const APPROVED_MODEL = 'claude-fable-5-2'

interface Person {
  itcode: string
  name: string
  role: 'admin' | 'user'
  /** A program of the group instead of a person. */
  kind?: 'service'
  group: string
  leads?: true
  /** Calls on a busy day. */
  calls: number
  /** Models by preference, the first most. */
  models: readonly string[]
  /** How the program names itself that they call with. */
  agent: string
  /** US dollars a month; as configured without it. */
  limitUsd?: number
  /** How many days ago their account was made, if not at the beginning. */
  since?: number
}

/** The first is the administrator, the second whose key the demo shows. Programs come after them. */
export const PEOPLE: readonly Person[] = [
  {
    itcode: 'admin',
    name: 'Ada Admin',
    role: 'admin',
    group: 'Infrastructure',
    leads: true,
    calls: 18,
    models: [OPUS, SONNET],
    agent: CLAUDE_CODE,
  },
  {
    itcode: 'dev',
    name: 'Dev Developer',
    role: 'user',
    group: 'Platform',
    calls: 40,
    models: [OPUS, HAIKU],
    agent: CLAUDE_CODE,
  },
  {
    itcode: 'li.wei',
    name: '李伟',
    role: 'user',
    group: 'Platform',
    leads: true,
    calls: 28,
    models: [SONNET, OPUS],
    agent: CLAUDE_CODE,
  },
  {
    itcode: 'maria',
    name: 'María Pérez',
    role: 'user',
    group: 'Marketing',
    leads: true,
    calls: 12,
    models: [HAIKU, APPROVED_MODEL],
    agent: 'Mozilla/5.0 Claude/1.0',
  },
  {
    itcode: 'chen.jing',
    name: '陈静',
    role: 'user',
    group: 'Mobile',
    leads: true,
    calls: 34,
    models: [OPUS, SONNET],
    agent: CLAUDE_CODE,
    limitUsd: 40,
  },
  {
    itcode: 'noah',
    name: 'Noah Fischer',
    role: 'user',
    group: 'Mobile',
    calls: 22,
    models: [SONNET, HAIKU],
    agent: 'Cursor/3.0',
  },
  {
    itcode: 'amara',
    name: 'Amara Okafor',
    role: 'user',
    group: 'Data',
    leads: true,
    calls: 26,
    models: [OPUS, SONNET],
    agent: 'Anthropic/Python 0.92.0',
  },
  {
    itcode: 'yuki',
    name: '佐藤 ゆき',
    role: 'user',
    group: 'Data',
    calls: 20,
    models: [SONNET, OPUS],
    agent: 'codex_cli_rs/0.60.1',
  },
  {
    itcode: 'priya',
    name: 'Priya Raman',
    role: 'user',
    group: 'Infrastructure',
    calls: 24,
    models: [OPUS, HAIKU],
    agent: CLAUDE_CODE,
  },
  {
    itcode: 'olivier',
    name: 'Olivier Laurent',
    role: 'user',
    group: 'Platform',
    calls: 16,
    models: [SONNET, HAIKU],
    agent: 'opencode/1.2.0',
  },
  {
    itcode: 'sofia',
    name: 'Sofia Rossi',
    role: 'user',
    group: 'Marketing',
    calls: 8,
    models: [HAIKU, SONNET],
    agent: 'Mozilla/5.0 Claude/1.0',
    limitUsd: 5,
  },
  {
    itcode: 'zhang.min',
    name: '张敏',
    role: 'user',
    group: 'Platform',
    calls: 30,
    models: [OPUS, SONNET],
    agent: CLAUDE_CODE,
    since: 24,
  },
  {
    itcode: 'release-notes',
    name: 'Release notes',
    role: 'user',
    kind: 'service',
    group: 'Infrastructure',
    calls: 9,
    models: [HAIKU, SONNET],
    agent: 'python-httpx/0.28.1',
    limitUsd: 20,
  },
]

interface Department {
  name: string
  /** The one that it is a part of, which comes before it. */
  parent?: string
  /** What its people may spend together each month; no limit without it. */
  poolUsd?: number
}
export const DEPARTMENTS: readonly Department[] = [
  { name: 'Engineering', poolUsd: 400 },
  { name: 'Platform', parent: 'Engineering', poolUsd: 150 },
  { name: 'Mobile', parent: 'Engineering', poolUsd: 60 },
  { name: 'Infrastructure', parent: 'Engineering', poolUsd: 60 },
  { name: 'Data', poolUsd: 60 },
  { name: 'Marketing', poolUsd: 20 },
]

/** What the whole company may spend each month. */
export const COMPANY_USD = 300
