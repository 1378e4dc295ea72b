/** Messages for operators: what is expected, never what was found, because it may be a secret. */
import type * as z from 'zod'
import type { ConfigProblem } from './error.ts'

type Issue = z.core.$ZodIssue

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text is expected',
  number: 'a number is expected',
  int: 'a whole number is expected',
  boolean: 'true or false is expected',
  array: 'a list is expected',
  object: 'a section of settings is expected',
  record: 'a section of "name: value" lines is expected',
}

/** zod's error map: the message where a schema has none of its own. */
export function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? 'something else is expected'
  if (issue.code === 'invalid_value') return `${issue.values.map(String).join(' or ')} is expected`
  if (issue.code === 'too_small') return `at least ${amount(issue.minimum, issue.origin)} is expected`
  if (issue.code === 'too_big') return `at most ${amount(issue.maximum, issue.origin)} is expected`
  if (issue.code === 'invalid_format') return 'a different form is expected'
  return undefined
}

function amount(bound: number | bigint, origin: string): string {
  if (origin === 'string') return `${bound} character${bound === 1 ? '' : 's'}`
  return String(bound)
}

export function problemsOf(issue: Issue): ConfigProblem[] {
  const path = issue.path.map(String)
  if (issue.code !== 'unrecognized_keys') return [{ path: path.join('.'), message: issue.message }]
  return issue.keys.map((key) => ({ path: [...path, key].join('.'), message: 'this setting is unknown' }))
}
