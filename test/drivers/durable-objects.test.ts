/** The Durable Objects in workerd, asked through their real drivers. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { durableHealth } from '../../adapters/drivers/health/durable-object.ts'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { durableLedger } from '../../adapters/drivers/ledger/durable-object.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { limitSpent, usageHourly, usageLatency, usageLogs, usageSums } from '../../core/db/schema.ts'
import type { Clock, Db } from '../../core/ports.ts'
import { healthStoreContract } from '../contracts/health-store.ts'
import { ledgerContract, sharedLedgerContract } from '../contracts/ledger.ts'
import { poolContract } from '../contracts/ledger-pools.ts'
import { sharedPoolContract } from '../contracts/ledger-shared-pools.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'
import { admission, NO_LIMITS } from '../support/records.ts'
import { workerModules } from '../support/worker-bundle.ts'
import { startWorkerd, type Workerd } from '../support/workerd.ts'

let workerd: Workerd
let db: Db
beforeAll(async () => {
  const config = {
    auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a' },
    backends: [{ name: 'a', url: 'http://127.0.0.1:9', api_key: 'k-of-a' }],
  }
  const worker = {
    modules: [...(await workerModules(stringify(config)))],
    compatibilityFlags: ['nodejs_compat'],
  }
  workerd = await startWorkerd(worker, { objects: { HEALTH: 'HealthObject', LEDGER: 'LedgerObject' } })
  db = workerd.db()
  await migrate(db)
}, 60_000)
afterAll(() => workerd?.miniflare.dispose())

let suites = 0
healthStoreContract('durable object', async () => {
  const store = durableHealth(workerd.objects('HEALTH', `suite ${suites++}`))
  store.adopt?.(['a', 'b'])
  return store
})

/** One database for all suites: it is emptied, and each suite asks objects that know nothing of the others. */
async function emptyStore() {
  for (const table of [usageLogs, usageHourly, usageSums, usageLatency, limitSpent]) await db.delete(table)
  const own = workerd.db()
  suiteOf.set(own, `suite ${suites++}`)
  return { db: own, close: async () => {} }
}
const suiteOf = new WeakMap<Db, string>()
const ledgerSuite = {
  name: 'durable objects',
  async open(own: Db, clock: Clock = systemClock) {
    const logger = keptLogs()
    const namespace = workerd.objects<never>('LEDGER', suiteOf.get(own) ?? '')
    const parts = { namespace, db: own, seedMs: 60_000, clock, logger } as const
    const records = directRecords({ db: own, logger })
    return durableLedger({ ...parts, records, failClosed: false })
  },
  openStore: emptyStore,
  parallel: 120,
  written: 20,
}
ledgerContract(ledgerSuite)
sharedLedgerContract(ledgerSuite)
poolContract({ ...ledgerSuite, asksPoolsInTurn: true })
sharedPoolContract(ledgerSuite)

describe('ledger: durable objects', () => {
  const logs = keptLogs()

  test('a call whose row was written while its object was put away counts once', async () => {
    const suite = `suite ${suites++}`
    const user = { ...NO_LIMITS, budgetMicros: 1_500 }
    const ask = () => admission({ user, record: { userId: 80, createdAt: Date.now() } })
    const connect = async () => {
      const records = directRecords({ db, logger: logs })
      const namespace = workerd.objects<never>('LEDGER', suite)
      const parts = {
        namespace,
        db,
        seedMs: 60_000,
        failClosed: false,
        clock: systemClock,
        logger: logs,
      } as const
      return { records, ledger: await durableLedger({ ...parts, records }) }
    }
    const before = await connect()
    const [written, open] = [ask(), ask()]
    expect(await before.ledger.reserve(written)).toMatchObject({ ok: true })
    expect(await before.ledger.reserve(open)).toMatchObject({ ok: true })
    await before.records.settle({ ...written.begun, outcome: 'ok' })
    await workerd.restart()
    const { ledger } = await connect()
    expect(await ledger.reserve(ask())).toMatchObject({ ok: true })
    expect(await ledger.reserve(ask())).toMatchObject({ ok: false, limit: 'budget' })
    await ledger.settle({ ...written.begun, outcome: 'ok' })
    await ledger.settle({ ...open.begun, costMicros: 0, outcome: 'error' })
    expect(await ledger.reserve(ask())).toMatchObject({ ok: true })
    expect(await ledger.reserve(ask())).toMatchObject({ ok: false, limit: 'budget' })
  })

  test('an isolate that died leaves a row for its call, and what it held is free', async () => {
    const store = await emptyStore()
    const ledger = await ledgerSuite.open(store.db)
    const user = { ...NO_LIMITS, concurrentRequests: 1 }
    const ask = () => admission({ user, record: { userId: 79, createdAt: Date.now() } })
    const lost = ask()
    // Its timer never fires, so that nobody renews the hold.
    const dead = await ledgerSuite.open(store.db, fakeClock(Date.now()))
    expect(await dead.reserve(lost)).toMatchObject({ ok: true })
    expect(await ledger.reserve(ask())).toMatchObject({ ok: false, limit: 'concurrency' })
    const rows = () => store.db.select().from(usageLogs).where(eq(usageLogs.requestId, lost.begun.id))
    await expect.poll(rows, { timeout: 120_000, interval: 1_000 }).toHaveLength(1)
    expect(await rows()).toMatchObject([{ requestId: lost.begun.id, outcome: 'interrupted' }])
    expect(await ledger.reserve(ask())).toMatchObject({ ok: true })
    // It lived after all.
    await dead.settle({ ...lost.begun, outcome: 'ok', costMicros: 300 })
    await expect.poll(rows).toMatchObject([{ outcome: 'ok', costMicros: 300 }])
  }, 180_000)
})
