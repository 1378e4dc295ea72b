/** The thread that works on a server's database file. The contract of every database is in storage.test.ts. */
import { copyFileSync, existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { copyDatabase } from '../../adapters/backup/database-copy.ts'
import type { DatabaseThread } from '../../adapters/drivers/storage/database-host.ts'
import { openServedFile } from '../../adapters/drivers/storage/served.ts'
import { startThread } from '../../adapters/shared/thread.ts'
import { rootOf } from '../../core/errors.ts'
import { type KeptLogs, keptLogs } from '../support/logs.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { fileStore, temporaryFolder } from '../support/stores.ts'

const DYING = join(import.meta.dirname, '../support/dying-thread.ts')

let store: OpenedStore
let logs: KeptLogs
beforeEach(async () => {
  logs = keptLogs()
  const thread: DatabaseThread = startThread(DYING)
  store = await fileStore((path) => openServedFile(path, logs, { fsync: false, thread }))
  await store.db.run(sql`create table things (id integer primary key, thing)`)
})
afterEach(() => store.close())

const reasonOf = (statement: Promise<unknown>) =>
  statement.then(
    () => 'none',
    (thrown: unknown) => rootOf(thrown),
  )

describe('a value', () => {
  test.each([
    ['null', null],
    ['text', 'ä 🦕 "\n'],
    ['a whole number', 42],
    ['the largest whole number', Number.MAX_SAFE_INTEGER],
    ['the smallest whole number', Number.MIN_SAFE_INTEGER],
    ['a fraction', 0.1],
  ])('comes back as it went: %s', async (_what, value) => {
    await store.db.run(sql`insert into things (thing) values (${value})`)
    expect(await store.db.values(sql`select thing from things`)).toMatchObject([{ 0: value }])
    expect(await store.db.all(sql`select thing from things`)).toEqual([{ thing: value }])
  })

  test('of bytes comes back as bytes', async () => {
    await store.db.run(sql`insert into things (thing) values (${new Uint8Array([0, 255])})`)
    const [row] = await store.db.all<{ thing: ArrayBuffer }>(sql`select thing from things`)
    expect(new Uint8Array(row?.thing ?? new ArrayBuffer(0))).toEqual(new Uint8Array([0, 255]))
  })

  test('that a number cannot hold is refused instead of being another one', async () => {
    expect(await reasonOf(store.db.all(sql`select 9007199254740993 as big`))).toMatchObject({
      message: expect.stringContaining('9007199254740993'),
    })
  })

  test('counts by its place whatever its column is called, and the first of a name by its name', async () => {
    const [row] = await store.db.values(sql`select 'a' as same, 'b' as same, 'c' as "0"`)
    expect(Array.prototype.slice.call(row)).toEqual(['a', 'b', 'c'])
    expect(row).toMatchObject({ same: 'a' })
  })
})

describe('a statement that fails', () => {
  test.each([
    ['a value that is there already', sql`insert into things (id) values (1), (1)`, 'SQLITE_CONSTRAINT'],
    ['a table that is missing', sql`select * from nothing`, 'SQLITE_ERROR'],
    ['a value of another kind', sql`insert into things (id) values ('a')`, 'SQLITE_MISMATCH'],
  ])('says by a code why: %s', async (_why, statement, code) => {
    expect(await reasonOf(store.db.run(statement))).toMatchObject({ code, name: 'SqlError' })
    expect(await store.db.values(sql`select 1`)).toHaveLength(1)
  })
})

describe('when the thread dies', () => {
  test('what is under way fails as it does while the database is away, and the next statement has another thread', async () => {
    await store.db.run(sql`insert into things (thing) values ('kept')`)
    const [dying, beside] = [
      reasonOf(store.db.all(sql`select 'die'`)),
      reasonOf(store.db.run(sql`insert into things (thing) values ('beside')`)),
    ]
    expect(String(await dying)).toContain('The thread of the database ended')
    expect(String(await beside)).toContain('The thread of the database ended')
    expect(logs.lines).toMatchObject([
      { level: 'error', event: 'database.thread_ended', fields: { cause: 'Error: it died' } },
    ])
    expect(await store.db.values(sql`select thing from things`)).toMatchObject([{ 0: 'kept' }])
  })
})

test('a thread that follows a dead one touches no file that was put in the place of the database', async () => {
  const folder = temporaryFolder()
  const path = join(folder.path, 'gateway.db')
  const thread: DatabaseThread = startThread(DYING)
  const opened = await openServedFile(path, keptLogs(), { fsync: false, thread })
  await opened.db.run(sql`create table things (thing)`)
  copyDatabase(path, `${path}.backup`)
  renameSync(path, `${path}.aside`)
  copyFileSync(`${path}.backup`, path)
  await reasonOf(opened.db.all(sql`select 'die'`))
  const reason = await reasonOf(opened.db.run(sql`insert into things values ('of the other file')`))
  expect(String(reason)).toContain('it is another file now')
  expect(readFileSync(path)).toEqual(readFileSync(`${path}.backup`))
  await opened.close()
  folder.remove()
})

test('a file that was closed answers nothing more, and has no write-ahead log', async () => {
  const folder = temporaryFolder()
  const path = join(folder.path, 'gateway.db')
  const opened = await openServedFile(path, keptLogs(), { fsync: true })
  await opened.db.run(sql`create table things (thing)`)
  expect(existsSync(`${path}-wal`)).toBe(true)
  await opened.close()
  expect(existsSync(`${path}-wal`)).toBe(false)
  expect(String(await reasonOf(opened.db.run(sql`create table more (thing)`)))).toContain('closed')
  folder.remove()
})
