/** Calls by chance in a database of three users with four keys, and what plain reckoning makes of them. */
import fc from 'fast-check'
import { apiKeys, usageLogs, users } from '../../core/db/schema.ts'
import type { CallRecord, Db } from '../../core/ports.ts'
import type { Filter } from '../../core/reports/query.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { memoryStore, type OpenedStore } from './memory-store.ts'
import { callRecord } from './records.ts'

export type Row = typeof usageLogs.$inferSelect
export const NOW = Date.UTC(2026, 9, 27, 12)
/** A fortnight of the sums ends a day later, summer time in Europe five. */
export const FIRST = Date.UTC(2026, 9, 21)
const DAYS = 6
export const DAY_MS = 86_400_000
const USER_OF_KEY: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 3 }

export async function callStore(): Promise<OpenedStore> {
  const store = await memoryStore()
  const { db } = store
  const times = { createdAt: 1, updatedAt: 1 }
  for (const id of [1, 2, 3]) {
    await db
      .insert(users)
      .values({ id, itcode: `user${id}`, name: '', role: 'user', status: 'active', ...times })
  }
  for (const [id, userId] of Object.entries(USER_OF_KEY)) {
    const shown = { name: `key ${id}`, prefix: 'sk', last4: '0000', hash: id, status: 'active' } as const
    await db.insert(apiKeys).values({ id: Number(id), userId, ...shown, ...times })
  }
  return store
}

const amount = fc.integer({ min: 0, max: 1_000_000 })
/** Any moment of these days, often the first or last ms of a quarter of an hour. */
const moment = fc.oneof(
  fc.integer({ min: FIRST, max: FIRST + DAYS * DAY_MS }),
  fc
    .tuple(fc.integer({ min: 1, max: DAYS * 96 }), fc.constantFrom(0, 1))
    .map(([n, less]) => FIRST + n * 900_000 - less),
)
/** Ids come from a few, so that some calls are told of twice. */
const call: fc.Arbitrary<CallRecord> = fc
  .record({
    id: fc.integer({ min: 1, max: 60 }).map((n) => `req_${n}`),
    keyId: fc.integer({ min: 1, max: 4 }),
    model: fc.constantFrom('opus', 'sonnet', 'rare'),
    backend: fc.constantFrom('a', 'b', ''),
    inputTokens: amount,
    outputTokens: amount,
    cacheReadTokens: amount,
    cacheWrite5mTokens: amount,
    cacheWrite1hTokens: amount,
    costMicros: amount,
    latencyMs: amount,
    outcome: fc.constantFrom('ok', 'error', 'client_aborted'),
    createdAt: moment,
  })
  .map((given) => callRecord({ ...given, userId: USER_OF_KEY[given.keyId] ?? 0 } as Partial<CallRecord>))
const batch = fc.uniqueArray(call, { selector: ({ id }) => id, maxLength: 25 })
export const sequence = fc.array(batch, { minLength: 1, maxLength: 4 })

/** Writes the batches, one after the other, into an empty log; answers its rows. */
export async function writeCalls(db: Db, batches: readonly CallRecord[][]): Promise<Row[]> {
  await db.delete(usageLogs)
  await repairSums(db, 0)
  for (const records of batches) {
    await writeRecords(db, records.map(recordText))
  }
  return db.select().from(usageLogs)
}

/** Checks any sequence of batches. */
export const property = (check: (batches: CallRecord[][]) => Promise<void>, numRuns = 20) =>
  fc.assert(fc.asyncProperty(sequence, check), { numRuns })

export const COUNTED = {
  requests: () => 1,
  errors: (row: Row) => (row.outcome === 'ok' ? 0 : 1),
  inputTokens: (row: Row) => row.inputTokens,
  outputTokens: (row: Row) => row.outputTokens,
  cacheReadTokens: (row: Row) => row.cacheReadTokens,
  cacheWrite5mTokens: (row: Row) => row.cacheWrite5mTokens,
  cacheWrite1hTokens: (row: Row) => row.cacheWrite1hTokens,
  costMicros: (row: Row) => row.costMicros,
  latencyMs: (row: Row) => row.latencyMs,
}
export const tokensOf = (row: Row) =>
  row.inputTokens + row.outputTokens + row.cacheReadTokens + row.cacheWrite5mTokens + row.cacheWrite1hTokens
export const sum = (rows: readonly Row[], of: (row: Row) => number) =>
  rows.reduce((total, row) => total + of(row), 0)
export const lastOf = (rows: readonly Row[]) => Math.max(...rows.map(({ createdAt }) => createdAt))

/** The ms at which the span of this length begins that a call belongs to. */
export const start = (ms: number) => (row: Row) => Math.floor(row.createdAt / ms) * ms

export const FILTERS: Filter[] = [
  {},
  { model: 'rare' },
  { backend: '' },
  { model: 'opus', backend: 'a' },
  { userId: 1 },
  { userId: 1, model: 'sonnet' },
  { keyId: 2 },
  { userId: 1, keyId: 3 },
  { keyId: 2, backend: 'b' },
  { keyId: 99 },
]
export const matches = ({ userId, keyId, model, backend }: Filter) => {
  const same = <T>(wanted: T | undefined, given: T) => wanted === undefined || wanted === given
  return (row: Row) =>
    same(userId, row.userId) &&
    same(keyId, row.apiKeyId) &&
    same(model, row.model) &&
    same(backend, row.backend)
}
export const ZONES = [
  'UTC',
  'Asia/Shanghai',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Europe/Berlin',
  'America/New_York',
]
export const dayOf =
  (timeZone: string) =>
  ({ createdAt }: Row) =>
    new Date(createdAt).toLocaleDateString('sv-SE', { timeZone })
export const DATES = { startDate: '2026-10-24', endDate: '2026-10-25' }
export const inDates = (timeZone: string) => (row: Row) => {
  const day = dayOf(timeZone)(row)
  return day >= DATES.startDate && day <= DATES.endDate
}
