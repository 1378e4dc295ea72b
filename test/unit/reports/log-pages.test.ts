/** Every row of the log once, newest first, however it is asked for. */
import { afterAll, describe, expect, test } from 'vitest'
import { apiKeys } from '../../../core/db/schema.ts'
import { allLogs, type Cursor, type LogFilter, logPage, logsAfter } from '../../../core/reports/log-pages.ts'
import { ALL_TIME, rangeOf } from '../../../core/reports/range.ts'
import {
  callStore,
  DATES,
  FILTERS,
  FIRST,
  matches,
  property,
  type Row,
  writeCalls,
  ZONES,
} from '../../support/calls.ts'
import { callRecord } from '../../support/records.ts'

const { db, close } = await callStore()
afterAll(close)

describe('lists', () => {
  const newestFirst = (rows: readonly Row[]) =>
    rows.toSorted((a, b) => b.createdAt - a.createdAt || b.id - a.id).map(({ id }) => id)
  const RANGES = [ALL_TIME, ...ZONES.map((timeZone) => rangeOf({ ...DATES, timeZone }))]

  test('by page, by cursor and in slices hold every row that matches once, newest first', async () => {
    await property(async (batches) => {
      const rows = await writeCalls(db, batches)
      for (const range of RANGES) {
        for (const filter of FILTERS) {
          const inRange = ({ createdAt }: Row) => createdAt >= range.from && createdAt < range.to
          const wanted = newestFirst(rows.filter(matches(filter)).filter(inRange))
          const paged: number[] = []
          for (let page = 1; page === 1 || paged.length < wanted.length; page++) {
            const { logs, total, next } = await logPage(db, filter, range, { page, pageSize: 7 })
            expect(total).toBe(wanted.length)
            paged.push(...logs.map(({ id }) => id))
            expect(next === null).toBe(paged.length >= wanted.length)
            if (logs.length === 0) break
          }
          expect(paged).toEqual(wanted)
          const followed: number[] = []
          for (let cursor: Cursor | null = null; ; ) {
            const { logs, next }: Awaited<ReturnType<typeof logsAfter>> = await logsAfter(db, filter, range, {
              cursor,
              take: 7,
            })
            followed.push(...logs.map(({ id }) => id))
            // The end is told with the last row, not with an empty page after it.
            expect(logs.length > 0 || cursor === null).toBe(true)
            if (!next) break
            cursor = next
          }
          expect(followed).toEqual(wanted)
        }
      }
    }, 8)
  })

  test('by outcome, session and request id hold every row that matches once, newest first', async () => {
    const OUTCOMES = ['ok', 'failed', 'error', 'client_aborted', 'interrupted'] as const
    await property(async (batches) => {
      const rows = await writeCalls(db, batches)
      const found = (filter: LogFilter) =>
        rows.filter(matches(filter)).filter(({ outcome, session, requestId }) => {
          const isMeant =
            filter.outcome === 'failed' ? outcome !== 'ok' : outcome === (filter.outcome ?? outcome)
          return (
            isMeant &&
            session === (filter.session ?? session) &&
            requestId === (filter.requestId ?? requestId)
          )
        })
      const [first] = rows
      const one = first
        ? [{ requestId: first.requestId }, { requestId: first.requestId, userId: first.userId + 1 }]
        : []
      const wanted: LogFilter[] = [
        ...[{}, { userId: 1 }, { model: 'rare' }, { keyId: 2, backend: 'b' }].flatMap((filter) =>
          OUTCOMES.map((outcome) => ({ ...filter, outcome })),
        ),
        ...one,
        { userId: 1, session: 'none' },
      ]
      for (const range of RANGES.slice(0, 3)) {
        for (const filter of wanted) {
          const inRange = ({ createdAt }: Row) => createdAt >= range.from && createdAt < range.to
          const followed: number[] = []
          for (let cursor: Cursor | null = null; ; ) {
            const { logs, next }: Awaited<ReturnType<typeof logsAfter>> = await logsAfter(db, filter, range, {
              cursor,
              take: 3,
            })
            followed.push(...logs.map(({ id }) => id))
            if (!next) break
            cursor = next
          }
          expect([filter, followed]).toEqual([filter, newestFirst(found(filter).filter(inRange))])
        }
      }
    }, 4)
  })

  test('keep the order of rows of the same ms, across pages and slices', async () => {
    const same = Array.from({ length: 25 }, (_, i) =>
      callRecord({ model: i % 2 ? 'opus' : 'rare', createdAt: FIRST + 5 }),
    )
    const rows = await writeCalls(db, [same])
    for (const filter of [{}, { userId: 1 }, { model: 'rare' }, { userId: 1, model: 'rare' }]) {
      const slices: number[] = []
      for await (const logs of allLogs(db, filter, ALL_TIME, 4)) slices.push(...logs.map(({ id }) => id))
      expect(slices).toEqual(newestFirst(rows.filter(matches(filter))))
    }
  })

  test('show the names of keys and users, also of those that are gone', async () => {
    await writeCalls(db, [
      [
        callRecord({ id: 'a', userId: 2, keyId: 3 }),
        callRecord({ id: 'b', userId: 9, keyId: 0, createdAt: 1 }),
      ],
    ])
    await db.update(apiKeys).set({ deletedAt: 5, status: 'disabled' })
    const { logs } = await logPage(db, {}, ALL_TIME, { page: 1, pageSize: 10 })
    expect(logs.map(({ requestId, keyName, itcode }) => [requestId, keyName, itcode])).toEqual([
      ['a', 'key 3', 'user2'],
      ['b', null, null],
    ])
  })
})
