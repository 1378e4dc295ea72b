/** Records of runtimes without a disk, while the database's server is away for a moment. */
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { openServer } from '../../adapters/drivers/storage/libsql-http.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usageLogs } from '../../core/db/schema.ts'
import { startHrana } from '../support/hrana.ts'
import { keptLogs } from '../support/logs.ts'
import { admission } from '../support/records.ts'
import { temporaryFolder } from '../support/stores.ts'

test('a row that the database does not take at once is written once it does, and the call ends then', async () => {
  const folder = temporaryFolder()
  const hrana = await startHrana(join(folder.path, 'server.db'))
  const { db, close } = openServer(hrana.url, hrana.token)
  onTestFinished(async () => {
    close()
    await hrana.stop()
    folder.remove()
  })
  await migrate(db)
  const logger = keptLogs()
  const records = directRecords({ db, logger })
  const { begun } = admission()
  hrana.down(true)
  let ended = false
  const settled = Promise.resolve(records.settle({ ...begun, outcome: 'ok' })).then(() => {
    ended = true
  })
  await expect.poll(() => logger.lines.length).toBeGreaterThan(1)
  expect([ended, records.works()]).toEqual([false, false])
  hrana.down(false)
  await settled
  expect(await db.select().from(usageLogs)).toMatchObject([{ requestId: begun.id, outcome: 'ok' }])
  expect(records.works()).toBe(true)
  expect(new Set(logger.lines.map(({ event }) => event))).toEqual(new Set(['ledger.record_waits']))
})
