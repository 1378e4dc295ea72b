/** What a request must be before anyone looks at it, and the headers that no answer goes without. */
import type * as z from 'zod'
import { Refusal } from '../core/errors.ts'
import { GUARDS } from '../core/http/guards.ts'
import { headerOf } from '../core/http/headers.ts'
import type { HeaderPairs } from '../core/ports.ts'
import type { Settings } from '../core/settings.ts'
import { announcedBytes, type Reading, readBody } from './body.ts'
import { isSecure } from './cookies.ts'
import { isChange } from './route.ts'

/** What a form of the dashboard may hold; proxied calls have their own limit. */
const FORM_BYTES = 64 * 1024

/**
 * Whether a change may have been asked for by another site in the caller's name. With a cookie the browser must say
 * that the request is from here; a request without cookies acts for nobody. Throws a Refusal foreign_origin.
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
  // A name that leads here without being ours may be anybody's.
  if (settings.publicUrl !== '') return origin === settings.publicUrl
  return URL.canParse(origin) && new URL(origin).host === headerOf(headers, 'host')
}

/** What a change brings is JSON, also where nothing of it is read. Throws a Refusal unsupported_media_type. */
export function assertNoOtherBody({ method }: Request, headers: HeaderPairs): void {
  const length = Number(headerOf(headers, 'content-length') ?? 0)
  const hasBody = length > 0 || headerOf(headers, 'transfer-encoding') !== undefined
  if (hasBody && isChange(method)) assertJson(headers)
}

function assertJson(headers: HeaderPairs): void {
  const [type, ...parameters] = (headerOf(headers, 'content-type') ?? '').toLowerCase().split(/\s*;\s*/)
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))
  if (type !== 'application/json' || (charset && !/^charset="?utf-8"?$/.test(charset))) {
    throw new Refusal('unsupported_media_type', 'Send JSON: content-type application/json.')
  }
}

/** The JSON body, checked. Throws a Refusal as `readBody` does, or unsupported_media_type, invalid_input with its fields. */
export async function readJson(schema: z.ZodType, headers: HeaderPairs, reading: Reading): Promise<unknown> {
  assertJson(headers)
  announcedBytes(headers, FORM_BYTES)
  const bytes = await readBody(FORM_BYTES, reading)
  return checked(schema, parseJson(bytes))
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes))
  } catch {
    throw new Refusal('invalid_input', 'The body is not valid JSON.')
  }
}

/** Input as its schema wants it. Throws a Refusal invalid_input that names each bad field. */
export function checked(schema: z.ZodType, input: unknown): unknown {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const fields: Record<string, string> = Object.create(null)
  for (const { code, path, message, ...issue } of result.error.issues) {
    const unknown = code === 'unrecognized_keys' && 'keys' in issue ? issue.keys : []
    for (const key of unknown) fields[[...path, key].join('.')] = 'this field is not known'
    if (unknown.length === 0) fields[path.join('.') || 'body'] ??= message
  }
  const problems = Object.entries(fields).map(([path, problem]) => `${path}: ${problem}`)
  throw new Refusal('invalid_input', problems.join('; ').slice(0, 1000), { fields })
}

/** The response with the headers that tell browsers how little they may do with it. */
export function secured(response: Response, settings: Settings): Response {
  for (const [name, value] of GUARDS) {
    if (!response.headers.has(name)) response.headers.set(name, value)
  }
  if (isSecure(settings)) response.headers.set('strict-transport-security', 'max-age=31536000')
  return response
}
