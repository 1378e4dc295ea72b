/** What tells a server that something was committed to its database file. */
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFile, type Storage } from '../../adapters/drivers/storage/libsql.ts'
import { openServedFile } from '../../adapters/drivers/storage/served.ts'
import { keptLogs } from '../support/logs.ts'
import { temporaryFolder } from '../support/stores.ts'

let folder: ReturnType<typeof temporaryFolder>
let served: Storage
let other: Storage
beforeEach(async () => {
  folder = temporaryFolder()
  const path = join(folder.path, 'gateway.db')
  served = await openServedFile(path, keptLogs(), { fsync: false })
  await served.db.run(sql`create table things (thing)`)
  other = await openFile(path)
})
afterEach(async () => {
  await other.close()
  await served.close()
  folder.remove()
})

/** Whether it is another one after `work`. */
async function isAnother(work: () => Promise<unknown>): Promise<boolean> {
  const before = served.lastCommit?.()
  await work()
  const after = served.lastCommit?.()
  expect([before, after]).not.toContain(undefined)
  return before !== after
}
const addTo = (storage: Storage) => () => storage.db.run(sql`insert into things values ('one')`)

test('a commit of its own, and one of another connection', async () => {
  expect(await isAnother(addTo(served))).toBe(true)
  expect(await isAnother(addTo(other))).toBe(true)
  expect(await isAnother(addTo(other))).toBe(true)
})

test('not what is read, changes nothing, or fails', async () => {
  await addTo(other)()
  expect(await isAnother(async () => served.db.all(sql`select * from things`))).toBe(false)
  expect(await isAnother(async () => other.db.all(sql`select * from things`))).toBe(false)
  expect(await isAnother(async () => other.db.run(sql`delete from things where thing = 'none'`))).toBe(false)
  const failing = () =>
    other.db.batch([other.db.run(sql`delete from things`), other.db.run(sql`insert into nothing values (1)`)])
  expect(await isAnother(() => failing().catch(() => {}))).toBe(false)
})

test('also after the write-ahead log began anew', async () => {
  await addTo(other)()
  await other.db.run(sql`pragma wal_checkpoint(truncate)`)
  expect(await isAnother(addTo(other))).toBe(true)
})
