/** From the text of a configuration file to settings. Files and environment are given: this runs where neither exists. */
import { isMap, parseDocument } from 'yaml'
import type * as z from 'zod'
import { ConfigError, type ConfigProblem } from './error.ts'
import { Config } from './schema.ts'

const LARGEST_FILE = 1024 * 1024
const MOST_ALIASES = 50

export interface ConfigSource {
  text: string
  /** Its name, for messages. */
  file: string
  env: Readonly<Record<string, string | undefined>>
  /** For `${file:/path}`. May throw. */
  readFile(path: string): string
}

/** Throws ConfigError with every problem found, and nothing else. */
export function loadConfig(source: ConfigSource): Config {
  const problems: ConfigProblem[] = []
  const expanded = expand(parseYaml(source), [], source, problems)
  if (problems.length > 0) throw new ConfigError(source.file, problems)
  const result = Config.safeParse(expanded)
  if (!result.success) throw new ConfigError(source.file, result.error.issues.flatMap(problemsOf))
  return result.data
}

/** The settings of a gateway that was given nothing but a key: one backend, everything else by default. */
export function configFromApiKey(apiKey: string, sessionSecret: string, env: ConfigSource['env']): Config {
  const settings = {
    server: { ...(env.PORT ? { port: Number(env.PORT) } : {}), ...(env.HOST ? { host: env.HOST } : {}) },
    auth: { session_secret: sessionSecret },
    backends: [
      { name: 'claude', url: env.ANTHROPIC_BASE_URL ?? 'https://api.anthropic.com', api_key: apiKey },
    ],
  }
  const result = Config.safeParse(settings)
  if (!result.success) throw new ConfigError('environment', result.error.issues.flatMap(problemsOf))
  return result.data
}

function parseYaml({ text, file }: ConfigSource): unknown {
  const fail = (message: string) => new ConfigError(file, [{ path: '', message }])
  if (text.length > LARGEST_FILE) throw fail('the file is larger than 1 MiB')
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: false })
  const [error] = document.errors
  if (error) {
    const before = text.slice(0, error.pos[0]).split('\n')
    throw fail(
      `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: not valid YAML (${error.code})`,
    )
  }
  if (!isMap(document.contents)) throw fail('settings are expected, as "name: value" lines')
  try {
    return document.toJS({ maxAliasCount: MOST_ALIASES })
  } catch {
    throw fail('too many aliases')
  }
}

/** Puts `${VAR}` and `${file:/path}` in their places, in every text. `$${` stays `${`. */
function expand(
  value: unknown,
  path: readonly (string | number)[],
  source: ConfigSource,
  problems: ConfigProblem[],
): unknown {
  if (typeof value === 'string') return expandText(value, path.join('.'), source, problems)
  if (Array.isArray(value)) return value.map((item, i) => expand(item, [...path, i], source, problems))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, expand(item, [...path, key], source, problems)]),
  )
}

function expandText(text: string, path: string, source: ConfigSource, problems: ConfigProblem[]): unknown {
  if (!text.includes('${')) return text
  const problem = (message: string) => {
    problems.push({ path, message })
    return ''
  }
  const expanded = text.replaceAll(/\$?\$\{([^}]*)\}/g, (whole, name: string) => {
    if (whole.startsWith('$$')) return whole.slice(1)
    if (name.startsWith('file:')) {
      try {
        return source.readFile(name.slice(5)).replace(/\r?\n$/, '')
      } catch {
        return problem(`the file ${name.slice(5)} cannot be read`)
      }
    }
    return source.env[name] ?? problem(`the environment variable ${name} is not set`)
  })
  // A value that is nothing but a variable may be a number or a switch, as if it stood in the file itself.
  const alone = /^\$\{[^}]*\}$/.test(text)
  if (alone && /^-?\d+(\.\d+)?$/.test(expanded) && expanded.length < 16) return Number(expanded)
  if (alone && (expanded === 'true' || expanded === 'false')) return expanded === 'true'
  return expanded
}

/** One problem per leaf. Zod's own messages name kinds and bounds, never the value that was given. */
function problemsOf(issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [path, key].filter(Boolean).join('.'),
      message: 'this setting is unknown',
    }))
  }
  return [{ path, message: issue.message }]
}
