/** Replaces `${VAR}` and `${file:/path}` in every text of the settings; `$${` becomes `${`. */
import type { ConfigProblem } from './error.ts'

/** Deeper values are not expanded, because the schema refuses them anyway. */
const DEEPEST = 8
const REFERENCE = /\$?\$\{([^{}]*)(\}?)/g
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>
  /** Reads the file of `${file:/path}`. May throw. */
  readFile(path: string): string
}

export interface Expanded {
  settings: unknown
  problems: ConfigProblem[]
  /** Paths whose text is a single reference. Its value may have to become a number or boolean. */
  references: ReadonlySet<string>
}

export function expand(settings: unknown, surroundings: Surroundings): Expanded {
  const problems: ConfigProblem[] = []
  const references = new Set<string>()
  const walk = (value: unknown, path: readonly (string | number)[]): unknown => {
    if (typeof value === 'string') {
      const at = path.join('.')
      const { text, faults } = expandText(value, surroundings)
      problems.push(...faults.map((message) => ({ path: at, message })))
      if (/^\$\{[^{}]*\}$/.test(value)) references.add(at)
      return text
    }
    if (typeof value !== 'object' || value === null || path.length > DEEPEST) return value
    if (Array.isArray(value)) return value.map((item, i) => walk(item, [...path, i]))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]))
  }
  return { settings: walk(settings, []), problems, references }
}

function expandText(value: string, { env, readFile }: Surroundings): { text: string; faults: string[] } {
  const faults: string[] = []
  const fault = (message: string) => {
    faults.push(message)
    return ''
  }
  if (!value.isWellFormed()) fault('text is expected, not half of a character')
  const text = value.replaceAll(REFERENCE, (whole: string, name: string, end: string) => {
    if (whole.startsWith('$$')) return whole.slice(1)
    if (end && name.startsWith('file:')) {
      try {
        return readFile(name.slice(5)).replace(/\r?\n$/, '')
      } catch {
        return fault(`the file ${name.slice(5)} cannot be read`)
      }
    }
    // The message does not repeat the text in braces, because it may be a secret put there by mistake.
    if (!end || !VARIABLE.test(name))
      return fault('a variable or file:/path is expected between braces; write $${ to mean the signs')
    const found = Object.hasOwn(env, name) ? env[name] : undefined
    return found ?? fault(`the environment variable ${name} is not set`)
  })
  return { text, faults }
}
