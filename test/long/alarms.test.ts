/** A Durable Object whose database is away for longer than Cloudflare tries an alarm again. */
import { sql } from 'drizzle-orm'
import { expect, onTestFinished, test } from 'vitest'
import { stringify } from 'yaml'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { durableLedger } from '../../adapters/drivers/ledger/durable-object.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usageLogs } from '../../core/db/schema.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'
import { admission } from '../support/records.ts'
import { workerModules } from '../support/worker-bundle.ts'
import { startWorkerd } from '../support/workerd.ts'

/** A hold ends after 75 s, and an alarm is tried again after 2, 4, 8, 16, 32 and 64 s. */
const TRIED_MS = 230_000

test('writes the row of a call whose isolate died once the database is back', async () => {
  const config = {
    auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' },
    backends: [{ name: 'a', url: 'http://127.0.0.1:9', api_key: 'k-of-a' }],
  }
  const worker = {
    modules: [...(await workerModules(stringify(config)))],
    compatibilityFlags: ['nodejs_compat'],
  }
  const workerd = await startWorkerd(worker, { objects: { HEALTH: 'HealthObject', LEDGER: 'LedgerObject' } })
  onTestFinished(() => workerd.miniflare.dispose())
  const db = workerd.db()
  await migrate(db)
  const logger = keptLogs()
  const ledger = await durableLedger({
    namespace: workerd.objects<never>('LEDGER', 'alarms'),
    db,
    records: directRecords({ db, logger }),
    seedMs: 60_000,
    failClosed: false,
    // Its timers never fire, so that nobody renews the hold.
    clock: fakeClock(Date.now()),
    logger,
  })
  const lost = admission({ record: { createdAt: Date.now() } })
  expect(await ledger.reserve(lost)).toMatchObject({ ok: true })
  await db.run(sql`alter table usage_logs rename to usage_logs_away`)
  // Asked now and then, as of somebody who goes on working, so that it is not put away.
  for (const until = performance.now() + TRIED_MS; performance.now() < until; ) {
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    const other = admission({ record: { createdAt: Date.now() } })
    await ledger.reserve(other)
  }
  await db.run(sql`alter table usage_logs_away rename to usage_logs`)
  const ids = async () => (await db.select({ id: usageLogs.requestId }).from(usageLogs)).map(({ id }) => id)
  await expect.poll(ids, { timeout: 60_000, interval: 1_000 }).toContain(lost.begun.id)
}, 400_000)
