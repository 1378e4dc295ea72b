import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { stringify } from 'yaml'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { d1Storage } from '../../adapters/drivers/storage/d1.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usageLogs } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import { createUser } from '../../core/users/manage.ts'
import { accountsContract } from '../contracts/accounts.ts'
import { gatewayContract, type Start } from '../contracts/gateway.ts'
import { workerModules } from '../support/worker-bundle.ts'

/** The bundle as wrangler makes it, in workerd. */
const start: Start = async ({ backends, auth, models }) => {
  const config = {
    auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a', ...auth },
    ...(models ? { models } : {}),
    health: { startup_check: 'off', store: 'durable-object' },
    limits: { store: 'durable-object' },
    backends,
  }
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [...(await workerModules(stringify(config)))],
      compatibilityDate: '2026-11-01',
      compatibilityFlags: ['nodejs_compat'],
      d1Databases: { DB: 'db' },
      durableObjects: {
        HEALTH: { className: 'HealthObject', useSQLite: true },
        LEDGER: { className: 'LedgerObject', useSQLite: true },
      },
    }),
  )
  const db = d1Storage(await miniflare.getD1Database('DB'))
  await migrate(db)
  const person = { itcode: 'ann', role: 'user', quotaTokens: 0, budgetMicros: 0 } as const
  const user = await createUser({ db, clock: systemClock, actor: COMMAND_LINE }, person)
  const { secret } = await createKey(
    { db, clock: systemClock, sha256, actor: COMMAND_LINE },
    { userId: user.id, name: 'test', expiresAt: null },
  )
  const url = (await miniflare.ready).origin
  return {
    url,
    key: secret,
    async rows(count) {
      const deadline = performance.now() + 5_000
      for (;;) {
        const rows = await db.select().from(usageLogs).orderBy(usageLogs.id)
        if (rows.length >= count || performance.now() > deadline) return rows
      }
    },
    stop: () => miniflare.dispose(),
  }
}

gatewayContract('Workers', start)
accountsContract('Workers', start)
