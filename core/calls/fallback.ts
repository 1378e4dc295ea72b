/** Another model instead of one that no backend can serve, where the configuration names one: `model_fallbacks`. */

import type { Deps } from '../deps.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import { spliced } from '../json/splice.ts'
import { keysToFind, scalarAt, walkObjects } from '../json/walk.ts'
import type { Caller } from '../keys/caller.ts'
import { mayUse } from '../models/access.ts'
import type { Call } from './call.ts'
import type { OpenCallRecord } from './call-record.ts'
import { type FailoverParts, type Served, sendWithFailover } from './failover.ts'
import { inspect } from './inspect.ts'
import type { Listener } from './story.ts'

/** The call as it was sent last, and what came of it. */
interface Sent {
  call: Call
  served: Served
}

const NONE_SERVES: readonly RefusalCode[] = [
  'model_unknown',
  'no_backend_available',
  'upstream_refused',
  'all_backends_failed',
]
/** Blocks that only the model reads that wrote them. */
const THINKING = new Set<unknown>(['thinking', 'redacted_thinking'])
const BLOCK = keysToFind(['type', 'content'], ['input'])

/** The models that the call may be sent to instead of its own: those that its caller may use. */
export function fallbacksOf(
  { settings, prices }: Pick<Deps, 'settings' | 'prices'>,
  caller: Pick<Caller, 'models' | 'grants'>,
  model: string,
): readonly string[] {
  if (settings.modelFallbacks.length === 0) return []
  const canonical = prices.canonical(model)
  const found = settings.modelFallbacks.find(([name]) => name === model || name === canonical)
  return (found?.[1] ?? []).filter((other) => mayUse(settings, caller, other, prices.canonical(other)))
}

/**
 * Sends the call, and where no backend can serve its model, the same call with one after the other of its fallbacks. What comes
 * of the last of them that fails is not shown, because it is not the model that was asked for. Throws as sendWithFailover.
 */
export async function sendWithFallbacks(
  deps: FailoverParts,
  call: Call,
  record: Listener & Pick<OpenCallRecord, 'sentAs'>,
): Promise<Sent> {
  const own = await endOf(deps, call, record)
  if (!isServedByNone(own)) return { call, served: servedOf(own) }
  for (const model of call.fallbacks ?? []) {
    const other = calledAs(call, model)
    if (!other) break
    record.sentAs(model)
    const end = await endOf(deps, other, record)
    if (end.kind !== 'kept' && end.kind !== 'refused') {
      deps.logger.info('call.fell_back', { id: call.id, from: call.model, to: model })
      return { call: other, served: end }
    }
  }
  record.sentAs(call.model)
  return { call, served: servedOf(own) }
}

type End = Served | { kind: 'refused'; refusal: Refusal }

async function endOf(deps: FailoverParts, call: Call, record: Listener): Promise<End> {
  try {
    return await sendWithFailover(deps, call, record)
  } catch (cause) {
    if (cause instanceof Refusal) return { kind: 'refused', refusal: cause }
    throw cause
  }
}

function servedOf(end: End): Served {
  if (end.kind === 'refused') throw end.refusal
  return end
}

function isServedByNone(end: End): boolean {
  return end.kind === 'kept' || (end.kind === 'refused' && NONE_SERVES.includes(end.refusal.code))
}

/** Undefined for a call that means something to its own model or account only: ids of an account, thinking in its history. */
function calledAs(call: Call, model: string): Call | undefined {
  if (call.boundTo !== undefined) return undefined
  const { body } = call
  const { modelSpans, messages } = inspect(body)
  let thinks = false
  if (messages) {
    walkObjects(body, messages, 'messages', BLOCK, ({ members }) => {
      thinks ||= THINKING.has(scalarAt(body, members.get('type')))
    })
  }
  if (thinks) return undefined
  const text = JSON.stringify(model)
  return {
    ...call,
    model,
    body: spliced(
      body,
      modelSpans.map(({ start, end }) => ({ start, end, text })),
    ),
  }
}
