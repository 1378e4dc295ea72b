/** Runs one request through its route: caller, checks, body, handler, response. */
import type { Actor } from '../core/audit/record.ts'
import type { SignedIn } from '../core/auth/sessions.ts'
import type { Visit } from '../core/calls/intake.ts'
import type { Deps } from '../core/deps.ts'
import type { AdminKey } from '../core/keys/admin-keys.ts'
import type { Doing } from '../core/limits/person.ts'
import type { HeaderPairs, Reply, TakeBytes } from '../core/ports.ts'
import { announcedBytes, piecesOf, type Reading, readBody } from './body.ts'
import type { AssertNetwork } from './call-networks.ts'
import { type Addressing, addressGroup } from './client-address.ts'
import { compressed } from './compressed.ts'
import { assertNoOtherBody, assertSameOrigin, checked, readJson, secured } from './guard.ts'
import { assertMonitor, assertRecent, callerOf, identify, programOf } from './identify.ts'
import { originOf } from './origin.ts'
import { endingReply, toResponse, withoutBody } from './respond.ts'
import { type Answer, isChange, isSignedInTier, type Route, type Tier } from './route.ts'

export interface Incoming {
  id: string
  /** Headers for the answer, about the page that asks. */
  cors: HeaderPairs
  request: Request
  bindings: unknown
  params(): Record<string, string>
  /** Called when the answer is over; where it is a file or a stream of ours, when it begins. */
  answered(status: number): void
}

/** What handlers of all tiers get, and how the body is read. */
interface Begun {
  base: {
    deps: Deps
    headers: HeaderPairs
    id: string
    params: Record<string, string>
    target: string
    origin(): string
  }
  read: Reading['read']
}

/** Throws a Refusal, and rejects with a Refusal or ClientGone. */
export function run(
  { deps, addressOf, assertNetwork }: { deps: Deps; addressOf: Addressing; assertNetwork: AssertNetwork },
  route: Route,
  incoming: Incoming,
): Promise<Response> {
  const { id, request, bindings } = incoming
  const { wire } = deps
  const headers = wire.headers(request, bindings)
  const origin = () => originOf(deps, request, bindings)
  const begun: Begun = {
    base: { deps, headers, id, params: incoming.params(), target: targetOf(request.url), origin },
    read: (take: TakeBytes) => wire.body(request, bindings, take),
  }
  const { tier } = route
  const address = () => addressOf(wire.peer(request, bindings), headers)
  if (tier === 'key') return runCall(route, incoming, begun, { assertNetwork, address })
  return runOwn(route, tier, { ...begun, request, ip: address() }).then((response) => {
    incoming.answered(response.status)
    return response
  })
}

/** A request with an API key. The handler reads the body, and only if the caller's limits allow another call. */
async function runCall(
  route: Route,
  incoming: Incoming,
  { base, read }: Begun,
  { assertNetwork, address }: { assertNetwork: AssertNetwork; address: () => string },
): Promise<Response> {
  const { deps, headers, id } = base
  const { wire, clock, intake, decompress } = deps
  const { request, bindings, cors } = incoming
  const found = callerOf(deps, headers)
  const caller = found instanceof Promise ? await found : found
  assertNetwork(caller, address)
  deps.oldSecrets.called(caller)
  let visit: Visit | undefined
  const readWhenAllowed = (most: number, limited: boolean) => {
    const begun = intake.begin(caller, announcedBytes(headers, most), limited)
    visit = begun
    return readBody(most, { clock, headers, read, decompress, add: begun.add }).then((body) => {
      begun.read()
      return body
    })
  }
  const pieces = (most: number, limited: boolean) => {
    const begun = intake.begin(caller, 0, limited)
    visit = begun
    announcedBytes(headers, most)
    const whole = deps.settings.limits.maxBodyBytes
    const arriving = () => wire.pieces(request, bindings)
    const reading = { clock, headers, read, decompress, add: begun.add, pieces: arriving }
    return piecesOf({ most, whole }, reading)
  }
  const left = () => wire.left(request, bindings)
  const query = queryIn(route, request)
  try {
    // No accessor: each object with one of its own has a hidden class of its own, and V8 keeps all that it holds for long.
    const actor = () => ({ id: caller.userId, ip: address(), requestId: id })
    const keep = (bytes: number) => visit?.add(bytes)
    const given = { ...base, query, caller, actor, read: readWhenAllowed, pieces, keep, left }
    // The cast holds because path, tier and query come from the same route, whose types `route()` dropped.
    const handled = route.handle(given as never)
    const answer = handled instanceof Promise ? await handled : handled
    if (isReply(answer)) {
      const reply = cors.length === 0 ? answer : { ...answer, headers: [...answer.headers, ...cors] }
      if (answer.bodyFreed) visit?.end()
      const end = () => {
        visit?.end()
        incoming.answered(reply.status)
      }
      return wire.respond(endingReply(request.method === 'HEAD' ? withoutBody(reply) : reply, end), bindings)
    }
    visit?.end()
    const response = toResponse(route, answer, id)
    incoming.answered(response.status)
    for (const [name, value] of cors) response.headers.append(name, value)
    return secured(response, deps.settings)
  } catch (thrown) {
    visit?.end()
    throw thrown
  }
}

/** A request to the gateway's own API, with or without a session. */
async function runOwn(
  route: Route,
  tier: Exclude<Tier, 'key'>,
  { base, read, request, ip }: Begun & { request: Request; ip: string },
): Promise<Response> {
  const { deps, headers } = base
  const { settings, clock, decompress } = deps
  const { caller, actor, query, end } = await begin(route, tier, { base, request, ip })
  try {
    const cookies: string[] = []
    const setCookie = (cookie: string) => void cookies.push(cookie)
    assertNoOtherBody(request, headers, route.bodyType)
    const reading = { clock, headers, read, decompress }
    const body = route.body && (await readJson({ ...route, body: route.body }, reading))
    const call = { ...base, query, caller, body, actor, setCookie, over: end }
    const answered = await respond(route, call, end)
    const response = await compressed(answered, route, { headers, compress: deps.compress })
    for (const cookie of cookies) response.headers.append('set-cookie', cookie)
    // Nobody reads it, so that a file or stream would never end.
    if (request.method === 'HEAD') await response.body?.cancel()
    return secured(response, settings)
  } catch (thrown) {
    end()
    throw thrown
  } finally {
    if (!route.file && !route.stream) end()
  }
}

/** Who asks, and what they may do at the same time. Throws a Refusal. */
async function begin(
  route: Route,
  tier: Exclude<Tier, 'key'>,
  { base, request, ip }: Pick<Begun, 'base'> & { request: Request; ip: string },
): Promise<{ caller: SignedIn | AdminKey | undefined; actor: Actor; query: unknown; end: () => void }> {
  const { deps, headers, id } = base
  const doing = doingOf(route)
  const nobody = { id: null, ip, requestId: id }
  if (tier === 'admin-key') {
    const key = await programOf(deps, route, { headers, address: addressGroup(ip) })
    return {
      query: queryIn(route, request),
      caller: key,
      actor: { ...nobody, adminKeyId: key.id },
      end: deps.programLimits.begin(key.id, doing),
    }
  }
  assertSameOrigin(request, headers, deps.settings)
  if (tier === 'public' && isChange(request.method)) deps.signInLimits.request(addressGroup(ip))
  if (tier === 'monitor') assertMonitor(deps, headers)
  if (!isSignedInTier(tier)) {
    return { caller: undefined, actor: nobody, query: queryIn(route, request), end: () => {} }
  }
  const caller = await identify(deps, tier, headers)
  if (route.recent) assertRecent(deps, caller)
  const query = queryIn(route, request)
  const thing = route.method === 'PUT' ? pathOf(request.url) : undefined
  const end = deps.personLimits.begin(caller.user.id, doing, thing)
  return { caller, actor: { ...nobody, id: caller.user.id }, query, end }
}

function doingOf({ method, file, stream }: Route): Doing {
  if (file) return 'file'
  if (stream) return 'stream'
  return isChange(method) ? 'change' : 'read'
}

/** Runs a handler, here or where the runtime runs reports. `call` is what it gets. */
async function respond(
  route: Route,
  call: Begun['base'] & { query: unknown; caller: unknown; actor: Actor; over(): void },
  end: () => void,
): Promise<Response> {
  const { deps, caller, params, query, headers, id, actor } = call
  if (route.report && deps.reports) {
    // Only the version, because other headers have credentials.
    const kept = headers.filter(([name]) => name.toLowerCase() === 'anthropic-version')
    return deps.reports.run(route.path, { caller, params, query, headers: kept, id, actor }, end)
  }
  return toResponse(route, await route.handle(call as never), id) // as above
}

function isReply(answer: Answer): answer is Reply {
  return 'pipe' in answer && typeof answer.pipe === 'function'
}

export function pathOf(url: string): string {
  const target = targetOf(url)
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** Path and query as received, because what goes upstream must not be decoded and encoded again. */
function targetOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}

/** Checked only once the caller is known. Throws a Refusal invalid_input. */
function queryIn({ query, repeats, nullable = [] }: Route, { url }: Request): unknown {
  if (!query) return query
  const given = Object.entries(queryOf(url, repeats))
  const isNull = (value: string | string[]) => [value].flat().every((one) => one === '')
  return checked(
    query,
    Object.fromEntries(given.filter(([name, value]) => !nullable.includes(name) || !isNull(value))),
  )
}

/** The query as an object. Of a repeated name the first value counts, but all of the names in `repeats`. */
function queryOf(url: string, repeats: readonly string[] = []): Record<string, string | string[]> {
  const { searchParams } = new URL(url)
  const lists = repeats.map((name) => [name, [name, `${name}[]`].flatMap((one) => searchParams.getAll(one))])
  for (const name of repeats) for (const one of [name, `${name}[]`]) searchParams.delete(one)
  const given = lists.filter(([, values]) => values?.length)
  return Object.fromEntries([...[...searchParams].reverse(), ...given])
}
