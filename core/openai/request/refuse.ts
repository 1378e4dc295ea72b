/** How a translation says no: a 400 that names the parameter (core/calls/PROTOCOL.md, Errors). */
import type * as z from 'zod'
import { invalidField, Refusal } from '../../errors.ts'

/** The value is right in OpenAI's interface, but Claude has nothing like it. */
export function unsupported(param: string, message: string): Refusal {
  return new Refusal('unsupported_value', `${param}: ${message}`, { fields: { [param]: message } })
}

/** The path of a field as OpenAI writes it: messages[2].content[0].text */
function paramOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  )
}

/** The body as its schema wants it. Throws a Refusal for the first thing that is wrong. */
export function parsedBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw invalidField(paramOf(issue?.path ?? []) || 'body', issue?.message ?? 'this is not what is expected')
}
