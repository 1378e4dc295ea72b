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

/** The parsed body, or a part of it at `param`. Throws a Refusal invalid_input for the first problem. */
export function parsedBody<T>(schema: z.ZodType<T>, body: unknown, param = ''): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const path = [param, paramOf(issue?.path ?? [])].filter(Boolean).join('.')
  throw invalidField(path || 'body', issue?.message ?? 'this is not what is expected')
}
