import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { notices } from '../../../core/db/schema.ts'
import { NOTICE_EVENT_NAMES } from '../../../core/notices/events.ts'
import { noticeIfChanged, noticeOfInserted, noticeRow } from '../../../core/notices/outbox.ts'
import { registerUser } from '../../../core/users/manage.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'

let store: OpenedStore
beforeEach(async () => {
  store = await memoryStore()
})
afterEach(() => store.close())

const AT = 1_700_000_000_000
const back = (key: string) => ({ event: 'backend.back', data: { backend: 'main' }, key, at: AT }) as const
const rows = () =>
  store.db.select({ event: notices.event, data: notices.data, key: notices.dedupeKey }).from(notices)

test('events are a closed table', () => {
  expect(NOTICE_EVENT_NAMES).toMatchSnapshot()
})

test('of two notices with one event and key the first alone is told', async () => {
  await noticeRow(store.db, back('1'))
  await noticeRow(store.db, { ...back('1'), at: AT + 1 })
  await noticeRow(store.db, back('2'))
  expect(await rows()).toEqual([
    { event: 'backend.back', data: '{"backend":"main"}', key: 'backend.back 1' },
    { event: 'backend.back', data: '{"backend":"main"}', key: 'backend.back 2' },
  ])
})

test('a notice of a change that changed nothing is not written', async () => {
  const { db } = store
  const changing = (id: number) => db.run(sql`update groups set name = name where id = ${id}`)
  await db.batch([changing(9), noticeIfChanged(db, back('9'))])
  await db.batch([changing(0), noticeIfChanged(db, back('0'))])
  expect((await rows()).map(({ key }) => key)).toEqual(['backend.back 0'])
})

test('a notice of a new row has its id, and without a new row there is none', async () => {
  const { db } = store
  const parts = { db, clock: fakeClock(), actor: COMMAND_LINE }
  const ann = await registerUser(parts, { itcode: 'ann', role: 'user', quotaTokens: 0 })
  const asking = (period: string) =>
    db.all<{ id: number }>(sql`
      insert into increase_requests (user_id, period, amount_micros, reason, status, created_at, updated_at)
      values (${ann?.id}, ${period}, 5, 'x', 'pending', ${AT}, ${AT}) on conflict do nothing returning id`)
  await asking('weekly')
  const notice = () => noticeOfInserted(db, { event: 'increase.made', at: AT })
  const [inserted] = await db.batch([asking('daily'), notice()])
  const [again] = await db.batch([asking('daily'), notice()])
  expect([inserted, again]).toEqual([[{ id: 2 }], []])
  expect(await rows()).toEqual([{ event: 'increase.made', data: '{"id":2}', key: 'increase.made 2' }])
})
