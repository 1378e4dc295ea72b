/** Checks the requests of a batch one by one, by the rules of every call, and adds up what they may cost. */
import { conversationHash } from '../backends/affinity.ts'
import { joined } from '../bytes.ts'
import type { Call } from '../calls/call.ts'
import { receive } from '../calls/receive.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { Span } from '../json/scan.ts'
import { OPEN_BRACE } from '../json/tokens.ts'
import { keysToFind, scalarAt, walkObjects } from '../json/walk.ts'
import type { Caller } from '../keys/caller.ts'
import { reservationOf } from '../limits/reservation.ts'
import type { HeaderPairs } from '../ports.ts'
import { createTurns } from '../steps.ts'
import type { StopSignal } from '../stop.ts'

export type CheckParts = Pick<
  Deps,
  'settings' | 'prices' | 'clock' | 'objects' | 'wire' | 'abilities' | 'catalogue'
>

export interface Checked {
  /** As it is sent. */
  take(request: Uint8Array): Promise<Uint8Array>
  requests(): number
  /** Calls are booked to one group; undefined before the first. */
  first(): Call | undefined
  models(): ReadonlySet<string>
  /** The account of what they name. */
  boundTo(): string | undefined
  facts(): {
    requestedModel: string
    model: string
    requests: number
    idsHash: number
    tokens: number
    micros: number
  }
}

const KEYS = keysToFind(['custom_id', 'params'], [])
const CUSTOM_ID = /^[\w-]{1,64}$/
/** As Anthropic: https://platform.claude.com/docs/en/build-with-claude/batch-processing */
const MOST_REQUESTS = 100_000
/** Sums of two stay exact. */
const HASHES = 2 ** 52

/** `onCall` may refuse each of them, too. */
export function createCheck(
  deps: CheckParts,
  given: { id: string; caller: Caller; headers: HeaderPairs; signal: StopSignal },
  onCall: (call: Call) => void,
): Checked {
  // A request is a part of a larger piece, which nobody may give back.
  const parts = { ...deps, wire: { ...deps.wire, free: () => false } }
  const turn = createTurns(deps.clock)
  const requested = new Set<string>()
  const models = new Set<string>()
  let first: Call | undefined
  let boundTo: string | undefined
  let [requests, idsHash, tokens, micros] = [0, 0, 0, 0]

  async function check(request: Uint8Array): Promise<Uint8Array> {
    const { customId, params } = partsOf(request)
    const body = request.subarray(params.start, params.end)
    const call = await receive(parts, { ...given, path: '/v1/messages', body })
    first ??= call
    assertTogether(first, call, boundTo)
    boundTo ??= call.boundTo
    requested.add(call.requestedModel)
    models.add(call.model)
    onCall(call)
    const { worst } = reservationOf(deps, call, { batch: true })
    tokens += worst.tokens
    micros += worst.costMicros
    idsHash = addedHash(idsHash, customId)
    if (call.body === body) return request
    return joined([request.subarray(0, params.start), call.body, request.subarray(params.end)])
  }

  return {
    async take(request) {
      const place = `requests.${requests}`
      requests += 1
      if (requests > MOST_REQUESTS)
        throw new Refusal('body_invalid', `requests: at most ${MOST_REQUESTS} are taken.`)
      // A piece may hold hundreds of requests.
      await turn()
      try {
        return await check(request)
      } catch (thrown) {
        if (!(thrown instanceof Refusal) || thrown.code === 'internal') throw thrown
        throw new Refusal(thrown.code, `${place}: ${thrown.message}`)
      }
    },
    requests: () => requests,
    first: () => first,
    models: () => models,
    boundTo: () => boundTo,
    facts() {
      const [model = ''] = models.size === 1 ? models : []
      const [requestedModel = ''] = requested.size === 1 ? requested : []
      return { requestedModel, model, requests, idsHash, tokens, micros }
    },
  }
}

/** Throws a Refusal body_invalid for what cannot be in one batch. */
function assertTogether(first: Call, call: Call, boundTo: string | undefined): void {
  if (first.caller.billingGroupIds.join() !== call.caller.billingGroupIds.join()) {
    throw new Refusal('body_invalid', 'tags: all requests of a batch are booked to one group.')
  }
  if (boundTo !== undefined && call.boundTo !== undefined && boundTo !== call.boundTo) {
    const problem = 'it names what is in another account than what requests before it name.'
    throw new Refusal('body_invalid', problem)
  }
}

/** The same sum in whatever order. */
export function addedHash(sum: number, customId: string): number {
  return (sum + (conversationHash(customId) % HASHES)) % HASHES
}

/** Throws a Refusal body_invalid. */
export function partsOf(request: Uint8Array): { customId: string; params: Span } {
  let customId: unknown
  let params: Span | undefined
  walkObjects(request, { start: 0, end: request.length }, '', KEYS, ({ depth, members, repeated }) => {
    if (depth !== 0) return
    if (repeated) throw new Refusal('body_invalid', `${repeated}: it is given twice.`)
    customId = scalarAt(request, members.get('custom_id'))
    params = members.get('params')
  })
  if (typeof customId !== 'string' || !CUSTOM_ID.test(customId)) {
    throw new Refusal('body_invalid', 'custom_id: letters, digits, _ and -, at most 64, are expected.')
  }
  if (!params || request[params.start] !== OPEN_BRACE)
    throw new Refusal('body_invalid', 'params: an object is expected.')
  return { customId, params }
}
