/** Routes are data: the server and the tests read the same table. A route without a tier does not compile. */
import type * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import type { Caller } from '../core/keys/directory.ts'
import type { HeaderPairs, Reply } from '../core/ports.ts'

/** Who calls, by tier. `session` and `admin` join with the routes that need them. */
export interface Callers {
  public: undefined
  key: Caller
}
export type Tier = keyof Callers
export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'
/** The envelope that errors of a route come in. */
export type Dialect = 'anthropic' | 'api'

type Params<P extends string> = P extends `${string}:${infer N}/${infer R}`
  ? { [K in N]: string } & Params<`/${R}`>
  : P extends `${string}:${infer N}`
    ? { [K in N]: string }
    : Record<never, never>
type Output<S> = S extends z.ZodType ? z.output<S> : undefined

export interface RouteCall<P extends string, T extends Tier, Q> {
  deps: Deps
  caller: Callers[T]
  params: Params<P>
  query: Output<Q>
  request: Request
  headers: HeaderPairs
  /** Path and query of the address as it came, undecoded. */
  target: string
  id: string
}

export interface RouteSpec<P extends string, T extends Tier, Q> {
  method: Method
  path: P
  tier: T
  query?: Q
  /** A plain object becomes JSON. */
  handle(call: RouteCall<P, T, Q>): Answer | Promise<Answer>
}
export type Answer = Response | Reply | Readonly<Record<string, unknown>>

export interface Route extends Omit<RouteSpec<string, Tier, z.ZodType | undefined>, 'handle'> {
  handle(call: never): Answer | Promise<Answer>
}

/** Types a handler by its own path, tier and schemas. The cast forgets them again: the table holds all routes alike. */
export function route<
  const P extends string,
  const T extends Tier,
  Q extends z.ZodType | undefined = undefined,
>(spec: RouteSpec<P, T, Q>): Route {
  return spec as unknown as Route
}
