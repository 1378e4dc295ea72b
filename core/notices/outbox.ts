/** Notices, written in the batch of the change that they tell of. */
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { storable } from '../text.ts'
import type { NoticeData, NoticeEvent } from './events.ts'

/** A notice: `key` is one for what happens once, so that any number of processes tell it once, e.g. `7 daily`. */
export type Notice = {
  [E in NoticeEvent]: { event: E; data: NoticeData[E]; key: string; at: number }
}[NoticeEvent]

/** Events whose data is the id of a row. */
type OfRow = { [E in NoticeEvent]: NoticeData[E] extends { id: number } ? E : never }[NoticeEvent]

/** Inserts the notice, unless one with its event and key is there. */
export function noticeRow(db: Db, notice: Notice) {
  return db.run(inserting(notice, sql`true`))
}

/**
 * Inserts the notice if the statement right before it in the batch changed something. Afterwards changes() is 1 or 0
 * accordingly, and 0 also if it was told before.
 */
export function noticeIfChanged(db: Db, notice: Notice) {
  return db.run(inserting(notice, sql`changes() > 0`))
}

/**
 * Inserts a notice about the row that the statement right before it in the batch inserted, if it did. Afterwards changes() is 1
 * or 0 accordingly.
 */
export function noticeOfInserted(db: Db, { event, at }: { event: OfRow; at: number }) {
  const id = sql`last_insert_rowid()`
  return db.run(insert(event, { key: id, data: sql`json_object('id', ${id})`, at }, sql`changes() > 0`))
}

function inserting({ event, data, key, at }: Notice, condition: SQL): SQL {
  const text = JSON.stringify(data, (_, one) => (typeof one === 'string' ? storable(one) : one))
  return insert(event, { key: sql`${storable(key)}`, data: sql`${text}`, at }, condition)
}

function insert(event: NoticeEvent, row: { key: SQL; data: SQL; at: number }, condition: SQL): SQL {
  return sql`insert into notices (dedupe_key, event, data, created_at)
    select ${event} || ' ' || ${row.key}, ${event}, ${row.data}, ${row.at} where ${condition}
    on conflict do nothing`
}
