/** Refusals of translations: a 400 that names the parameter (core/calls/PROTOCOL.md, Errors). */
import type * as z from 'zod'
import { invalidField, Refusal } from '../../errors.ts'

/** A Refusal for a value that is valid in OpenAI's API but has no equivalent at Claude. */
export function unsupported(param: string, message: string): Refusal {
  return new Refusal('unsupported_value', `${param}: ${message}`, { fields: { [param]: message } })
}

/** The path of a field in OpenAI's notation: messages[2].content[0].text */
function paramOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  )
}

/** One problem is told, and a body may have millions, each of which would be described: more than the memory holds. */
const FIRST_ALONE = { reportInput: false, abortEarly: true }

/** The parsed body, or a part of it at `param`. Throws a Refusal invalid_input for the first problem. */
export function parsedBody<T>(schema: z.ZodType<T>, body: unknown, param = ''): T {
  const result = schema.safeParse(body, FIRST_ALONE)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const { path, message } = issue ? problemOf(issue) : { path: [], message: 'this is not what is expected' }
  throw invalidField([param, paramOf(path)].filter(Boolean).join('.') || 'body', message)
}

type Issue = z.core.$ZodIssue
interface Problem {
  path: readonly PropertyKey[]
  message: string
}

/** What is wrong, at the deepest place: of several forms, that which the value comes closest to. */
function problemOf(issue: Issue): Problem {
  const { path } = issue
  if (issue.code === 'invalid_type') return { path, message: `${kindName(issue.expected)} is expected` }
  if (issue.code === 'invalid_value') return { path, message: `${listed(issue.values)} is expected` }
  if (issue.code !== 'invalid_union') return { path, message: issue.message }
  const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : []
  if (issue.errors.length === 0) return { path, message: `${listed(options)} is expected` }
  const below = (inner: Problem): Problem => ({ ...inner, path: [...path, ...inner.path] })
  const others = issue.errors.flatMap((form) =>
    form.flatMap((one) => (isOfOtherType(one) && 'values' in one ? one.values : [])),
  )
  const forms = issue.errors.filter((form) => !form.some(isOfOtherType)).flatMap(([one]) => one ?? [])
  const [closest] = forms.map(problemOf).toSorted((a, b) => b.path.length - a.path.length)
  if (closest && closest.path.length > 0) return below(closest)
  // The value is of this form, but too long, too large and the like.
  const outside = forms.find(({ code }) => !['invalid_type', 'invalid_value', 'invalid_union'].includes(code))
  if (outside) return { path, message: outside.message }
  if (others.length > 0) return below({ path: ['type'], message: `${listed(others)} is expected` })
  return { path, message: `${listed(forms.flatMap(expectedBy))} is expected` }
}

/** The value has another type than this form, so that the rest of it says nothing. */
function isOfOtherType({ code, path }: Issue): boolean {
  return (code === 'invalid_value' || code === 'custom') && path.length === 1 && path[0] === 'type'
}

function expectedBy(issue: Issue): unknown[] {
  if (issue.code === 'invalid_type') return [kindName(issue.expected)]
  return issue.code === 'invalid_value' ? [...issue.values] : []
}

function kindName(kind: string): string {
  return /^[aeio]/.test(kind) ? `an ${kind}` : `a ${kind}`
}

function listed(values: readonly unknown[]): string {
  const all = [...new Set(values)].map(String)
  return all.length > 1 ? `one of ${all.join(', ')}` : (all[0] ?? 'something else')
}
