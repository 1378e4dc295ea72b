/** Calls from their admission to their settlement; upstream and ledger answer in place. */

import { shippedAbilities } from '../../adapters/shared/tables.ts'
import pricing from '../../config/pricing.json' with { type: 'json' }
import type { Call } from '../../core/calls/call.ts'
import { openCallRecord } from '../../core/calls/call-record.ts'
import { createProjects } from '../../core/calls/client.ts'
import { forward, forwardFree } from '../../core/calls/forward.ts'
import type { MadeObject } from '../../core/db/objects.ts'
import type { Deps } from '../../core/deps.ts'
import { createPeriods } from '../../core/limits/period.ts'
import type { Admitted, CallRecord, MaybePromise, Reply, Sink } from '../../core/ports.ts'
import { PriceList } from '../../core/pricing/list.ts'
import { createPrices } from '../../core/pricing/prices.ts'
import { call } from './call.ts'
import { type Answer, failoverScene } from './failover.ts'

const prices = createPrices(PriceList.parse(pricing))
const abilities = shippedAbilities()

/** `answers`: of each backend, in the order in which they are tried. */
export function forwardingScene(
  answers: Record<string, Answer>,
  given: {
    admitted?: Admitted
    /** How long the ledger takes to settle. */
    settling?: Promise<void>
    period?: string
    options?: Parameters<typeof failoverScene>[1]
  } = {},
) {
  const scene = failoverScene(answers, given.options)
  const { clock, parts } = scene
  const reserved: CallRecord[] = []
  const updated: CallRecord[] = []
  const settled: CallRecord[] = []
  const remembered: { owner: object; made: readonly MadeObject[] }[] = []
  const pending: unknown[] = []
  const freed: Uint8Array[] = []
  const deps = {
    ...parts,
    settings: {
      ...parts.settings,
      journal: { fsync: false },
      retry: { ...parts.settings.retry, idleTimeoutMs: 90_000 },
      limits: { period: given.period ?? 'monthly', timeZone: 'UTC', reserveOutputTokens: undefined },
      publicUrl: '',
    },
    periods: createPeriods('UTC'),
    projects: createProjects({ clock: { now: () => 0 } }),
    prices,
    abilities,
    catalogue: { known: () => undefined },
    ledger: {
      reserve: ({ begun }: { begun: CallRecord }): MaybePromise<Admitted> => {
        reserved.push(begun)
        return given.admitted ?? { ok: true, used: undefined }
      },
      update: (record: CallRecord) => void updated.push(record),
      settle: (record: CallRecord) => {
        settled.push(record)
        return given.settling
      },
    },
    objects: {
      remember: (owner: object, made: readonly MadeObject[]) => void remembered.push({ owner, made }),
    },
    waitUntil: (work: unknown) => void pending.push(work),
    wire: { free: (body: Uint8Array) => freed.push(body) > 0 },
  } as unknown as Deps // what a call uses of them
  const callWith = (told: Partial<Call>) =>
    call({ createdAt: clock.now(), startedAt: clock.elapsed(), ...told })
  return {
    ...scene,
    deps,
    reserved,
    updated,
    settled,
    remembered,
    pending,
    freed,
    open: (told: Partial<Call> = {}) => openCallRecord(deps, callWith(told)),
    forward: (told: Partial<Call> = {}) => forward(deps, callWith(told)),
    forwardFree: (told: Partial<Call> = {}) => forwardFree(deps, callWith(told)),
  }
}

/** Reads a reply to its end, or to where it breaks off. */
export async function readWhole(reply: Reply, sink: Partial<Sink> = {}) {
  const chunks: Uint8Array[] = []
  let error: unknown
  try {
    await reply.pipe({
      write: (chunk) => {
        chunks.push(chunk)
        return sink.write?.(chunk)
      },
      ...(sink.left ? { left: sink.left } : {}),
    })
  } catch (cause) {
    error = cause
  }
  const text = chunks.map((chunk) => new TextDecoder().decode(chunk)).join('')
  return { status: reply.status, text, error }
}
