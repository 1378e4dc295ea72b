/** Sends a batch on while it arrives. Its last piece waits until all of it is checked, reserved and written down. */
import * as z from 'zod'
import { canServe } from '../backends/choosing.ts'
import type { KeptAnswer } from '../calls/attempt.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { type AccountParts, accountNamed, askForJson, Declined, Unreached } from '../files/account.ts'
import { accountsFor, takes, uploadHeaders } from '../files/upload.ts'
import { parsedJson } from '../json/parse.ts'
import type { Caller } from '../keys/caller.ts'
import { limitRefusal } from '../limits/refusals.ts'
import type { HeaderPairs } from '../ports.ts'
import type { Backend } from '../settings.ts'
import type { StopSignal } from '../stop.ts'
import { MINUTE_MS } from '../units.ts'
import { untiring } from '../untiring.ts'
import { type Checked, type CheckParts, createCheck } from './check.ts'
import { rewritten } from './split.ts'
import { type Batch, closeBatch, openBatch, reserveBatch } from './store.ts'
import { renames, withUpstreamNames } from './upstream-names.ts'

export type CreateParts = CheckParts &
  AccountParts &
  Pick<Deps, 'db' | 'ledger' | 'metrics' | 'random' | 'periods' | 'projects'>

const Made = z.looseObject({ id: z.string().min(1).max(256) })

export interface BatchUpload {
  id: string
  caller: Caller
  path: string
  headers: HeaderPairs
  pieces: AsyncIterable<Uint8Array>
  /** As rewritten. */
  keep(bytes: number): void
  signal: StopSignal
}

/** Throws a Refusal for what is not allowed or cannot be sent, or ClientGone: the account has then made nothing of it. */
export async function createBatch(parts: CreateParts, given: BatchUpload): Promise<KeptAnswer> {
  let chosen: Backend | undefined
  const check = createCheck(parts, given, ({ model }) => {
    if (chosen && !canServe(chosen, model)) {
      throw new Refusal('body_invalid', `model: the account of this batch does not have the model ${model}.`)
    }
  })
  const { pieces, keep } = given
  const most = parts.settings.limits.maxBodyBytes
  const arriving = rewritten(pieces, most, { take: check.take, keep })
  try {
    // The account is chosen by what the first request names.
    const early = await beginning(arriving, check, { most, keep })
    return await sent(parts, given, { check, early, arriving, choose: (backend) => (chosen = backend) })
  } finally {
    // What nobody took is read, because a client that is still sending would not see its answer.
    void arriving.return(undefined)
  }
}

/** All up to the first request. */
async function beginning(
  arriving: AsyncIterator<Uint8Array>,
  check: Checked,
  { most, keep }: { most: number; keep: BatchUpload['keep'] },
): Promise<Uint8Array[]> {
  const early: Uint8Array[] = []
  let before = 0
  for (;;) {
    const { done, value } = await arriving.next()
    if (done) throw new Refusal('body_invalid', 'requests: at least one is expected.')
    early.push(value)
    // What is kept of a request itself is told by `rewritten`.
    if (check.requests() > 0) return early
    before += value.length
    if (before > most)
      throw new Refusal('body_too_large', `More than ${most} bytes stand before the requests of the batch.`)
    keep(value.length)
  }
}

interface Arriving {
  check: Checked
  early: readonly Uint8Array[]
  arriving: AsyncIterable<Uint8Array>
}

/** To the first account that takes its first byte. */
async function sent(
  parts: CreateParts,
  given: BatchUpload,
  { choose, ...content }: Arriving & { choose(backend: Backend): void },
): Promise<KeptAnswer> {
  const { path, signal } = given
  for (const backend of await candidates(parts, given.caller, content.check)) {
    choose(backend)
    const headers = uploadHeaders(given.headers).filter(
      // A model that is replaced or renamed has another length.
      ([name]) =>
        name !== 'content-length' || !(parts.settings.modelReplacements.length > 0 || renames(backend)),
    )
    const sending = createSending(parts, given, { ...content, backend })
    try {
      const body = withUpstreamNames(sending.pieces(), backend)
      const request = { method: 'POST' as const, path, headers, body, signal }
      const answer = await askForJson(parts, backend, request)
      await settle(parts, sending.row(), { answer, models: content.check.models() })
      return answer
    } catch (thrown) {
      const row = sending.row()
      if (row && thrown instanceof Declined) await closeBatch(parts, row, 'lost')
      // From its last piece on the account may have it: core/batches/book.ts finds out.
      if (sending.begun() || !(thrown instanceof Unreached)) throw thrown
    }
  }
  throw new Refusal(
    'no_backend_available',
    'No upstream account can take batches right now. Please try again.',
    {
      retryAfterMs: 5_000,
    },
  )
}

async function candidates(parts: CreateParts, caller: Caller, check: Checked): Promise<Backend[]> {
  const boundTo = check.boundTo()
  if (boundTo !== undefined) return [accountNamed(parts, boundTo)]
  const models = [...check.models()]
  const isFor = (backend: Backend) => models.every((model) => canServe(backend, model))
  const all = (await accountsFor(parts, caller.userId, 'batch')).filter(isFor)
  const everUsed = parts.balancer.views().filter(({ backend }) => backend.enabled && takes(backend, 'batch'))
  if (all.length === 0 && !everUsed.some(({ backend }) => isFor(backend))) {
    throw new Refusal(
      'unsupported_value',
      `No upstream account here takes batches of ${models.join(' with ')}.`,
    )
  }
  return all
}

async function settle(
  parts: CreateParts,
  row: Batch | undefined,
  { answer: { status, body }, models }: { answer: KeptAnswer; models: ReadonlySet<string> },
): Promise<void> {
  if (!row) return
  const made = status < 300 ? Made.safeParse(parsedJson(new TextDecoder().decode(body))).data : undefined
  if (made) {
    parts.metrics?.batchMade(row.backend, models)
    // Whoever is told that it failed makes another one, and pays for both.
    if (await untiring(parts, () => openBatch(parts, row, made.id))) return
    // The account may have made it all the same: core/batches/book.ts finds out.
    throw new Refusal('conflict', 'The account answered with the id of another batch.', {
      shown: { status: 502, type: 'api_error' },
    })
  }
  // An account that fails may have made it all the same.
  if (status < 500) await closeBatch(parts, row, 'lost')
}

/** The body for one account. */
function createSending(
  parts: CreateParts,
  given: BatchUpload,
  { backend, check, early, arriving }: Arriving & { backend: Backend },
) {
  let begun = false
  let row: Batch | undefined
  async function* pieces() {
    begun = true
    let held: Uint8Array | undefined
    for (const piece of early) {
      if (held) yield held
      held = piece
    }
    for await (const piece of arriving) {
      if (held) yield held
      held = piece
    }
    const reserved = rowOf(parts, given, check, backend)
    await reserve(parts, check.first()?.caller ?? given.caller, reserved)
    row = reserved
    if (held) yield held
  }
  return { pieces, begun: () => begun, row: () => row }
}

async function reserve(parts: CreateParts, { counters }: Caller, row: Batch): Promise<void> {
  const periodEnds = parts.periods.endsAt(row.createdAt)
  const denied = await reserveBatch(parts, row, { counters, periodEnds })
  if (denied) throw limitRefusal(parts.settings, denied, counters, parts.clock.now())
}

function rowOf(
  { clock, periods, projects }: CreateParts,
  { id, caller }: BatchUpload,
  check: Checked,
  backend: Backend,
): Batch {
  const createdAt = clock.now()
  const call = check.first()
  const [day, week, month] = periods.startsAt(createdAt)
  const [billingGroupId, ...parents] = call?.caller.billingGroupIds ?? caller.billingGroupIds
  return {
    requestId: id,
    id: null,
    backend: backend.name,
    userId: caller.userId,
    apiKeyId: caller.keyId,
    billingGroupId,
    billingParents: parents.join(),
    client: call?.client ?? '',
    project: projects.recorded(caller.userId, call?.project ?? ''),
    ...check.facts(),
    day,
    week,
    month,
    createdAt,
    state: 'sending',
    checkAt: createdAt + MINUTE_MS,
  }
}
