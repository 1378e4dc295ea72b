/** As ../drivers/journal-room.test.ts, until nothing more can wait: a hundred thousand rows in memory, beside a disk that takes no file. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { awayDatabase, settleMany } from '../support/away-database.ts'
import { admission } from '../support/records.ts'

const MOST = 100_000

test('while the database is away and the disk takes no other file, calls are refused before memory is, so that no row is lost', async () => {
  const away = await awayDatabase()
  const ledger = await away.open()
  mkdirSync(join(away.folder, away.files()[0]?.replace('-0.', '-1.') ?? ''))
  await settleMany(ledger, MOST - 1)
  expect(await ledger.reserve(admission())).toMatchObject({ ok: true })
  await settleMany(ledger, 1)
  expect(await ledger.reserve(admission())).toEqual({ ok: false, limit: 'unavailable' })
  away.comesBack()
  await ledger.close()
  expect(await away.rows()).toBe(MOST)
  await away.stop()
})
