/** Routes are data that server, checks, reference and tests share. A route without a tier does not compile. */
import type * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { SignedIn } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import type { AdminKey, AdminScope } from '../core/keys/admin-keys.ts'
import type { Caller } from '../core/keys/caller.ts'
import type { HeaderPairs, Reply } from '../core/ports.ts'
import type { StopSignal } from '../core/stop.ts'

/**
 * The caller by tier: anyone; who has the token for metrics; the owner of an API key; a signed-in user; who may read usage and
 * cost (roles billing, auditor, admin); who may read everything (auditor, admin); an admin; a program with an admin key of the
 * route's scope; a device that brings a code or token of its own.
 */
interface Callers {
  public: undefined
  monitor: undefined
  key: Caller
  session: SignedIn
  billing: SignedIn
  auditor: SignedIn
  admin: SignedIn
  'admin-key': AdminKey
  device: undefined
}
export type Tier = keyof Callers
/** The tiers of those who are signed in, with the roles that each takes. */
export const ROLES = {
  session: ['user', 'billing', 'auditor', 'admin'],
  billing: ['billing', 'auditor', 'admin'],
  auditor: ['auditor', 'admin'],
  admin: ['admin'],
} as const satisfies Partial<Record<Tier, readonly SignedIn['user']['role'][]>>
export type SignedInTier = keyof typeof ROLES

export function isSignedInTier(tier: Tier): tier is SignedInTier {
  return Object.hasOwn(ROLES, tier)
}
type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
/** The form of a route's errors. */
export type Dialect = 'anthropic' | 'anthropic-admin' | 'openai' | 'api' | 'scim' | 'oauth'
/** Media types of bodies: JSON, or a form. SCIM's is taken with both: https://www.rfc-editor.org/rfc/rfc7644#section-3.1 */
export type BodyType =
  | 'application/json'
  | 'application/scim+json'
  | 'application/x-www-form-urlencoded'
  | 'multipart/form-data'
export type ErrorStatus = 400 | 401 | 403 | 404 | 408 | 409 | 413 | 415 | 429 | 500 | 502 | 503 | 504 | 529

type Params<P extends string> = P extends `${string}:${infer N}/${infer R}`
  ? { [K in N]: string } & Params<`/${R}`>
  : P extends `${string}:${infer N}`
    ? { [K in N]: string }
    : Record<never, never>
type Output<S> = S extends z.ZodType ? z.output<S> : undefined

type ActorHere = Actor & { ip: string }

export interface RouteCall<P extends string, T extends Tier, Q, B> {
  deps: Deps
  caller: Callers[T]
  params: Params<P>
  query: Output<Q>
  body: Output<B>
  headers: HeaderPairs
  /**
   * Reads the whole body, for routes without a `body` schema; `limited` if the call counts against limits. Throws a Refusal:
   * rate_limited, overloaded, body_too_large, body_invalid, upload_stalled; or ClientGone.
   */
  read(maxBytes: number, limited: boolean): Promise<Uint8Array>
  /** The same piece by piece, nothing of it kept; what `read` throws is thrown when a piece is asked for. */
  pieces(maxBytes: number, limited: boolean): AsyncIterable<Uint8Array>
  /** So many bytes more of the pieces are kept until the answer. Throws a Refusal overloaded. */
  keep(bytes: number): void
  /** Aborts when the client leaves. */
  left(): StopSignal
  /** Path and query as received, undecoded. */
  target: string
  /** Scheme, host and port by which this caller reached the gateway; what they say of themselves is only told to them. */
  origin(): string
  id: string
  /** The caller as the audit names them, with their IP address; calls with an API key find that only when they need it. */
  actor: T extends 'key' ? () => ActorHere : ActorHere
  /** For routes with `file` or `stream`: call it when the answer is finished or broken off. Idempotent. */
  over(): void
  /** Adds a Set-Cookie header to the answer. */
  setCookie(cookie: string): void
}

export interface RouteSpec<P extends string, T extends Tier, Q, B, R> {
  method: Method
  path: P
  tier: T
  /** Only for those who signed in within the last ten minutes, so that a session that was left open cannot do it. */
  recent?: true
  /** Of the tier admin-key: the scope that a key must have. */
  scope?: AdminScope
  /** Default: api. */
  dialect?: Dialect
  /** One line for the reference. */
  summary: string
  query?: Q
  /** Names of `query` of which all values count, spelled `name` or `name[]`: it gets a list of strings for each. */
  repeats?: readonly string[]
  /** Names of `query` whose empty value is none. */
  nullable?: readonly string[]
  /** A JSON body, parsed and checked before the handler runs. */
  body?: B
  /** The media type of `body`; default application/json. */
  bodyType?: BodyType
  /** The longest `body` in bytes; default FORM_BYTES. */
  bodyBytes?: number
  /** For the reference only: the JSON body of routes that read the bytes themselves. */
  accepts?: z.ZodType
  /** Schema of the answer. Plain objects are checked against it, so that no undeclared field is sent. */
  reply?: R
  /** Status of a plain object, or 303 for redirects; default 200. */
  status?: 201 | 204 | 303
  /** For the reference only: errors besides those that follow from tier and input. */
  errors?: readonly ErrorStatus[]
  /** The answer is a file, which may take long. */
  file?: true
  /** See `report`. */
  report?: true
  /** The answer goes on until its reader leaves. Of its events this is what the data of each is, as JSON. */
  stream?: z.ZodType
  /** Media types of answers that are not one JSON object. */
  produces?: readonly string[]
  handle(call: RouteCall<P, T, Q, B>): Answer<R> | Promise<Answer<R>>
}
export type Answer<R = undefined> =
  | Response
  | Reply
  | (R extends z.ZodType ? z.input<R> : Readonly<Record<string, unknown>>)

/** What the handler of a report gets: all of it can be copied to another thread, or is there as well. */
export interface ReportCall<P extends string, T extends Tier, Q>
  extends Pick<
    RouteCall<P, T, Q, undefined>,
    'caller' | 'params' | 'query' | 'headers' | 'id' | 'actor' | 'over'
  > {
  deps: ReportDeps
}
export type ReportDeps = Pick<Deps, 'db' | 'clock' | 'settings' | 'periods' | 'logger'>

type AnySchema = z.ZodType | undefined
export interface Route extends Omit<RouteSpec<string, Tier, AnySchema, AnySchema, AnySchema>, 'handle'> {
  handle(call: never): Answer | Promise<Answer>
}

/** Types a handler by its path, tier and schemas. The cast drops these types, so that one table can hold all routes. */
export function route<
  const P extends string,
  const T extends Tier,
  Q extends AnySchema = undefined,
  B extends AnySchema = undefined,
  R extends AnySchema = undefined,
>(spec: RouteSpec<P, T, Q, B, R>): Route {
  return spec as unknown as Route
}

/** A route that only reads the database, but may read a lot of it. Where the runtime has threads, it runs in another one. */
export function report<
  const P extends string,
  const T extends Tier,
  Q extends AnySchema = undefined,
  R extends AnySchema = undefined,
>(
  spec: Omit<RouteSpec<P, T, Q, undefined, R>, 'method' | 'report' | 'handle'> & {
    handle(call: ReportCall<P, T, Q>): Answer<R> | Promise<Answer<R>>
  },
): Route {
  return { ...spec, method: 'GET', report: true } as unknown as Route
}

export function isChange(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD'
}
