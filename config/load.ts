/** Parses a configuration file. Files and environment are passed in, because some runtimes have neither. */
import { isMap, parseDocument } from 'yaml'
import { ConfigError, type ConfigProblem } from './error.ts'
import { type Expanded, expand, type Surroundings } from './expand.ts'
import { expectation, problemsOf } from './messages.ts'
import { Config } from './schema.ts'

const LARGEST_FILE = 1024 * 1024
const MOST_ALIASES = 50

export interface ConfigSource extends Surroundings {
  text: string
  /** Name of the file, for messages. */
  file: string
}

/** The validated configuration. Throws ConfigError with every problem found, and no other error. */
export function loadConfig(source: ConfigSource): Config {
  return validated(source.file, expand(parseYaml(source), source))
}

/** The configuration of a gateway that has only an API key: one backend and defaults. Throws ConfigError. */
export function configFromApiKey(apiKey: string, sessionSecret: string, env: ConfigSource['env']): Config {
  const settings = {
    server: { ...(env.PORT ? { port: Number(env.PORT) } : {}), ...(env.HOST ? { host: env.HOST } : {}) },
    auth: { session_secret: sessionSecret },
    backends: [
      { name: 'claude', url: env.ANTHROPIC_BASE_URL || 'https://api.anthropic.com', api_key: apiKey },
    ],
  }
  return validated('environment', { settings, problems: [], references: new Set() })
}

/** For what is parsed once: no code is generated for its schema, because that takes longer than to parse without it. */
export const ONCE = { jitless: true }

function validated(file: string, expanded: Expanded): Config {
  const result = Config.safeParse(withKinds(expanded), { error: expectation, ...ONCE })
  const unset = new Set(expanded.problems.map(({ path }) => path))
  const found = result.success ? [] : result.error.issues.flatMap(problemsOf)
  // A setting whose variable is missing is also empty; one problem for it is enough.
  const problems: ConfigProblem[] = [...expanded.problems, ...found.filter(({ path }) => !unset.has(path))]
  if (problems.length > 0 || !result.success) throw new ConfigError(file, problems)
  return result.data
}

/** Converts texts from variables to the number or boolean that the schema expects. */
function withKinds({ settings, references }: Expanded): unknown {
  const result = Config.safeParse(settings, ONCE)
  for (const issue of result.error?.issues ?? []) {
    if (issue.code !== 'invalid_type' || !references.has(issue.path.join('.'))) continue
    const key = issue.path.at(-1)
    const parent = issue.path.slice(0, -1).reduce<unknown>(childOf, settings)
    const text = key === undefined ? undefined : childOf(parent, key)
    if (key === undefined || typeof text !== 'string' || typeof parent !== 'object' || parent === null)
      continue
    const isNumber = issue.expected === 'number' && /^-?\d{1,15}(\.\d{1,15})?$/.test(text.trim())
    const isSwitch = issue.expected === 'boolean' && /^(true|false)$/i.test(text.trim())
    if (isNumber) Reflect.set(parent, key, Number(text))
    if (isSwitch) Reflect.set(parent, key, text.trim().toLowerCase() === 'true')
  }
  return settings
}

function childOf(parent: unknown, key: PropertyKey): unknown {
  return typeof parent === 'object' && parent !== null ? Reflect.get(parent, key) : undefined
}

function parseYaml({ text, file }: ConfigSource): unknown {
  const fail = (message: string) => new ConfigError(file, [{ path: '', message }])
  if (text.length > LARGEST_FILE) throw fail('at most 1 MiB is expected')
  const document = parsed(text)
  if (!document) throw fail('valid YAML is expected')
  const [error] = document.errors
  if (error) {
    const before = text.slice(0, error.pos[0]).split('\n')
    const at = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
    const name = /^[\w.-]{1,64}/.exec(text.slice(error.pos[0]))?.[0] ?? 'a name'
    if (error.code === 'DUPLICATE_KEY') throw fail(`${at}: ${name} is given twice, once is expected`)
    throw fail(`${at}: valid YAML is expected (${error.code})`)
  }
  if (!isMap(document.contents)) throw fail('settings are expected, as "name: value" lines')
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES })
  } catch {
    throw fail('fewer aliases are expected')
  }
}

/** Undefined if the parser itself throws, e.g. because of the depth. */
function parsed(text: string) {
  try {
    return parseDocument(text, { uniqueKeys: true, prettyErrors: false, logLevel: 'error' })
  } catch {
    return undefined
  }
}
