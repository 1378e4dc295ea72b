/** Books what a batch used from its results: one row for each request that succeeded, each exactly once. */
import * as z from 'zod'
import { upstreamHeaders } from '../calls/forwarded-headers.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { type AccountParts, accountNamed, askAccount, askForJson } from '../files/account.ts'
import { parsedJson } from '../json/parse.ts'
import type { CallRecord } from '../ports.ts'
import { recordText } from '../reports/stored-record.ts'
import { writeNew } from '../reports/write.ts'
import { createStop } from '../stop.ts'
import { MINUTE_MS } from '../units.ts'
import { addedHash } from './check.ts'
import { eachLine, recordOf } from './results.ts'
import {
  type Batch,
  changeOf,
  closeBatch,
  dueBatches,
  hasTwin,
  knownIds,
  lookAgain,
  openBatch,
  RESULTS_LIFE_MS,
} from './store.ts'

export type BookParts = AccountParts & Pick<Deps, 'db' | 'ledger' | 'metrics' | 'prices'>

const ROWS_AT_ONCE = 200
/** How long an account may not know of a batch of which only the answer was lost, and how far its clock may be from ours. */
const UNHEARD_MS = 15 * MINUTE_MS
/** Longer than the others wait that were due with it. */
const SILENT_MS = 5 * MINUTE_MS
const NOT_FOUND = 404

const Status = z.looseObject({
  id: z.string(),
  processing_status: z.string(),
  created_at: z.iso.datetime({ offset: true }).optional().catch(undefined),
  request_counts: z.record(z.string(), z.number()).catch({}),
})
const List = z.looseObject({ data: z.array(Status) })
/** What became of a try: booked; it has not ended yet; or nothing of it is there. */
export type BatchEnd = 'booked' | 'under_way' | 'lost'

/** Looks at those that may have ended, and books them: no account waits for another one. */
export async function bookBatches(parts: BookParts): Promise<void> {
  const now = parts.clock.now()
  const due = await dueBatches(parts.db, now, now + 2 * MINUTE_MS)
  const accounts = Map.groupBy(due, ({ backend }) => backend).values()
  await Promise.all([...accounts].map((ofAccount) => bookInTurn(parts, ofAccount, now)))
}

async function bookInTurn(parts: BookParts, ofAccount: readonly Batch[], now: number): Promise<void> {
  for (const batch of ofAccount) {
    try {
      const result = batch.id === null ? await findLost(parts, batch) : await bookBatch(parts, batch)
      if (result === 'under_way') await lookAgain(parts.db, batch, now + waitOf(now - batch.createdAt))
    } catch (cause) {
      // One that cannot be booked keeps no other one waiting; it is looked at again when its claim ends.
      const reason = cause instanceof Refusal ? cause.message : String(cause)
      parts.logger.warn('batch.not_booked', { batch: batch.id, backend: batch.backend, reason })
      if (now - batch.createdAt > RESULTS_LIFE_MS) await lose(parts, batch)
      // An account that is silent would be so for each of them.
      else if (isSilence(cause)) {
        // Next time it comes behind the others, because it may be silent of this one alone.
        await lookAgain(parts.db, batch, now + SILENT_MS)
        return
      }
    }
  }
}

function isSilence(cause: unknown): boolean {
  return cause instanceof Refusal && cause.code === 'upstream_timeout'
}

/** Most end within an hour; who asks themselves has it booked at once. */
function waitOf(age: number): number {
  return Math.min(Math.max(age / 10, 5_000), 5 * MINUTE_MS)
}

/** Also one that was lost, because the account may know it again. Throws a Refusal of the account. */
export async function bookBatch(parts: BookParts, batch: Batch): Promise<BatchEnd> {
  if (batch.state === 'booked' || batch.id === null) return 'booked'
  const path = `/v1/messages/batches/${encodeURIComponent(batch.id)}`
  const { status, body } = await askForJson(parts, accountNamed(parts, batch.backend), asking(path))
  if (status === NOT_FOUND) return lose(parts, batch)
  const found = Status.safeParse(parsedJson(new TextDecoder().decode(body))).data
  if (status >= 300 || !found)
    throw new Refusal('account_unavailable', 'The account does not tell of this batch.')
  if (found.processing_status !== 'ended') return 'under_way'
  return bookResults(parts, batch, path)
}

async function bookResults(parts: BookParts, batch: Batch, path: string): Promise<BatchEnd> {
  const answer = await askAccount(parts, accountNamed(parts, batch.backend), asking(`${path}/results`))
  if (answer.reply.status === NOT_FOUND) return lose(parts, batch)
  if (answer.reply.status >= 300)
    throw new Refusal('account_unavailable', 'The account does not give the results of this batch.')
  let rows: CallRecord[] = []
  const ids = createIdsCheck(batch)
  await eachLine(parts, answer, async (line) => {
    ids.add(line.custom_id)
    const { message } = line.result
    if (line.result.type === 'succeeded' && message)
      rows.push(recordOf(parts, batch, line.custom_id, message))
    if (rows.length < ROWS_AT_ONCE) return
    await write(parts, batch, rows)
    rows = []
  })
  if (ids.count() < batch.requests)
    throw new Refusal('account_unavailable', 'The results of this batch broke off.')
  if (!ids.areRight()) throw new ForeignResults()
  await write(parts, batch, rows)
  await closeBatch(parts, batch, 'booked')
  parts.logger.info('batch.booked', { batch: batch.id, backend: batch.backend, requests: ids.count() })
  return 'booked'
}

/** Whether results name the requests of this batch; `add` throws a Refusal once there are more than it has. */
function createIdsCheck(batch: Batch) {
  let count = 0
  let hash = 0
  return {
    add(customId: string) {
      count += 1
      if (count > batch.requests) throw new ForeignResults()
      hash = addedHash(hash, customId)
    },
    count: () => count,
    areRight: () => hash === batch.idsHash,
  }
}

class ForeignResults extends Refusal {
  constructor() {
    super('account_unavailable', 'The results that the account gives are not those of this batch.')
  }
}

/** Rows that are there already are those of another try: an earlier one that did not come to its end, or one at the same time. */
async function write(parts: BookParts, batch: Batch, rows: readonly CallRecord[]): Promise<void> {
  if (rows.length === 0) return
  const missing = await writeNew(parts.db, rows.map(recordText))
  const added = rows.filter(({ id }) => missing.has(id))
  parts.metrics?.batchBooked(added)
  const tokens = added.reduce(
    (sum, one) =>
      sum +
      one.inputTokens +
      one.outputTokens +
      one.cacheReadTokens +
      one.cacheWrite5mTokens +
      one.cacheWrite1hTokens,
    0,
  )
  await parts.ledger.respent(
    changeOf(
      batch,
      tokens,
      added.reduce((sum, { costMicros }) => sum + costMicros, 0),
    ),
  )
}

/**
 * The answer that told its id never came: perhaps the account has it. It is known again by its custom ids, which only its results
 * tell: one that may be another person's is nobody's.
 */
async function findLost(parts: BookParts, batch: Batch): Promise<BatchEnd> {
  const backend = accountNamed(parts, batch.backend)
  const { body } = await askForJson(parts, backend, asking('/v1/messages/batches?limit=100'))
  const listed = List.safeParse(parsedJson(new TextDecoder().decode(body))).data?.data ?? []
  const known = await knownIds(
    parts.db,
    listed.map(({ id }) => id),
  )
  const isDoubtful = await hasTwin(parts.db, batch, 2 * UNHEARD_MS)
  const candidates = listed.filter(({ id, request_counts, created_at }) => {
    const requests = Object.values(request_counts).reduce((sum, one) => sum + one, 0)
    const apart = created_at === undefined ? 0 : Math.abs(Date.parse(created_at) - batch.createdAt)
    return !isDoubtful && !known.has(id) && requests === batch.requests && apart <= UNHEARD_MS
  })
  let unread: unknown
  for (const { id, processing_status } of candidates) {
    if (processing_status !== 'ended') continue
    const path = `/v1/messages/batches/${encodeURIComponent(id)}`
    try {
      if (!(await holdsResultsOf(parts, batch, path))) continue
    } catch (cause) {
      if (isSilence(cause)) throw cause
      // It may be one of the next.
      unread ??= cause
      continue
    }
    if (!(await openBatch(parts, batch, id))) continue
    return bookResults(parts, { ...batch, id, state: 'open' }, path)
  }
  if (unread !== undefined) throw unread
  const mayCome = candidates.some(({ processing_status }) => processing_status !== 'ended')
  if (mayCome || parts.clock.now() - batch.createdAt < UNHEARD_MS) return 'under_way'
  return lose(parts, batch)
}

/** Whether the results at `path` are those of this batch. Throws a Refusal if they cannot be read. */
async function holdsResultsOf(parts: BookParts, batch: Batch, path: string): Promise<boolean> {
  const answer = await askAccount(parts, accountNamed(parts, batch.backend), asking(`${path}/results`))
  if (answer.reply.status >= 300) return false
  const ids = createIdsCheck(batch)
  try {
    await eachLine(parts, answer, async ({ custom_id }) => ids.add(custom_id))
  } catch (cause) {
    if (cause instanceof ForeignResults) return false
    throw cause
  }
  return ids.areRight()
}

async function lose(parts: BookParts, batch: Batch): Promise<'lost'> {
  if (batch.state === 'lost') return 'lost'
  parts.logger.warn('batch.lost', { batch: batch.id, backend: batch.backend, request: batch.requestId })
  await closeBatch(parts, batch, 'lost')
  return 'lost'
}

function asking(path: string) {
  return { method: 'GET' as const, path, headers: upstreamHeaders([]), signal: createStop().signal }
}
