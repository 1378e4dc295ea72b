/** Checks on requests before a handler runs, and the security headers of every answer. */
import type * as z from 'zod'
import { Refusal } from '../core/errors.ts'
import { GUARDS } from '../core/http/guards.ts'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { type Problem, problem } from '../core/problems.ts'
import type { Settings } from '../core/settings.ts'
import { announcedBytes, type Reading, readBody } from './body.ts'
import { isSecure } from './cookies.ts'
import { problemOf } from './problem-of.ts'
import { type BodyType, isChange } from './route.ts'

const FORM = 'application/x-www-form-urlencoded'
/** The longest body of the gateway's own API where a route does not say; proxied calls have `limits.maxBodyBytes`. */
const FORM_BYTES = 64 * 1024

/**
 * Refuses changes that another site may have caused (CSRF). With a cookie, Origin or Sec-Fetch-Site must show that the
 * request comes from the dashboard; without one it acts for nobody. Throws a Refusal foreign_origin.
 */
export function assertSameOrigin(request: Request, headers: HeaderPairs, settings: Settings): void {
  if (!isChange(request.method)) return
  const origin = headerOf(headers, 'origin')
  const site = headerOf(headers, 'sec-fetch-site')
  const ours = origin !== undefined && isOurs(origin, headers, settings)
  const foreign = (origin !== undefined && !ours) || (site !== undefined && site !== 'same-origin')
  const silent = !ours && site !== 'same-origin' && headerOf(headers, 'cookie') !== undefined
  if (foreign || silent) {
    const how = 'send its address in the Origin header'
    throw new Refusal('foreign_origin', `Changes are taken from the dashboard only; a script may ${how}.`)
  }
}

function isOurs(origin: string, headers: HeaderPairs, settings: Settings): boolean {
  // With publicUrl, Host is not trusted, because any domain may resolve to this gateway.
  if (settings.publicUrl !== '') return origin === settings.publicUrl
  return URL.canParse(origin) && new URL(origin).host === headerOf(headers, 'host')
}

/** Refuses a change whose body is not JSON, even if no body is read. Throws a Refusal unsupported_media_type. */
export function assertNoOtherBody({ method }: Request, headers: HeaderPairs, type?: BodyType): void {
  const length = Number(headerOf(headers, 'content-length') ?? 0)
  const hasBody = length > 0 || headerOf(headers, 'transfer-encoding') !== undefined
  if (hasBody && isChange(method)) assertType(headers, type)
}

function assertType(headers: HeaderPairs, expected: BodyType = 'application/json'): void {
  const [type, ...parameters] = (headerOf(headers, 'content-type') ?? '').toLowerCase().split(/\s*;\s*/)
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))
  const isMeant = type === expected || (type === 'application/json' && expected !== FORM)
  if (!isMeant || (charset && !/^charset="?utf-8"?$/.test(charset))) {
    throw new Refusal('unsupported_media_type', `Send a body of the content-type ${expected}.`)
  }
}

/** The parsed JSON body. Throws a Refusal: unsupported_media_type, invalid_input with its fields, or as `readBody`. */
export async function readJson(
  { body, bodyType, bodyBytes = FORM_BYTES }: { body: z.ZodType; bodyType?: BodyType; bodyBytes?: number },
  reading: Reading,
): Promise<unknown> {
  assertType(reading.headers, bodyType)
  announcedBytes(reading.headers, bodyBytes)
  const bytes = await readBody(bodyBytes, reading)
  return checked(body, bodyType === FORM ? parseForm(bytes) : parseJson(bytes))
}

/** Of a repeated name the first value counts. */
function parseForm(bytes: Uint8Array): unknown {
  const fields = new URLSearchParams(new TextDecoder().decode(bytes))
  return Object.fromEntries([...fields].reverse())
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    throw new Refusal('invalid_input', 'The body is not valid JSON.')
  }
}

/** Parses input by its schema. Throws a Refusal invalid_input that names each invalid field. */
export function checked(schema: z.ZodType, input: unknown): unknown {
  const result = schema.safeParse(input, { reportInput: true })
  if (result.success) return result.data
  const fields: Record<string, Problem> = Object.create(null)
  for (const issue of result.error.issues) {
    const { path } = issue
    const unknown = issue.code === 'unrecognized_keys' ? issue.keys : []
    for (const key of unknown) fields[[...path, key].join('.')] = problem('unknown_field')
    if (unknown.length === 0) fields[path.join('.') || 'body'] ??= problemOf(issue)
  }
  const problems = Object.entries(fields).map(([path, { message }]) => `${path}: ${message}`)
  throw new Refusal('invalid_input', problems.join('; ').slice(0, 1000), { fields })
}

/** Adds the security headers to the response. */
export function secured(response: Response, settings: Settings): Response {
  for (const [name, value] of GUARDS) {
    if (!response.headers.has(name)) response.headers.set(name, value)
  }
  if (isSecure(settings)) response.headers.set('strict-transport-security', 'max-age=31536000')
  return response
}
