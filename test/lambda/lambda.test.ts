import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { httpDatabase } from '../../adapters/drivers/storage/libsql-http.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usageLogs } from '../../core/db/schema.ts'
import { createKey } from '../../core/keys/manage.ts'
import { createUser } from '../../core/users/manage.ts'
import { accountsContract } from '../contracts/accounts.ts'
import { gatewayContract, type Start } from '../contracts/gateway.ts'
import { startHrana } from '../support/hrana.ts'
import { startLambda } from '../support/lambda.ts'
import { temporaryFolder } from '../support/stores.ts'
import { RUNTIME } from './install.ts'

/** The bundle, run by AWS's own runtime client, on a libSQL server. */
const start: Start = async ({ backends, auth, models }) => {
  const folder = temporaryFolder()
  mkdirSync(folder.path, { recursive: true })
  const hrana = await startHrana(join(folder.path, 'server.db'))
  const { db, close } = httpDatabase(hrana.url, hrana.token)
  await migrate(db)
  const parts = { db, clock: systemClock, actor: COMMAND_LINE }
  const user = await createUser(parts, { itcode: 'ann', role: 'user', quotaTokens: 0, budgetMicros: 0 })
  const { secret } = await createKey({ ...parts, sha256 }, { userId: user.id, name: 'test', expiresAt: null })
  const config = {
    database: { url: hrana.url, auth_token: hrana.token },
    auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a', ...auth },
    ...(models ? { models } : {}),
    health: { startup_check: 'off' },
    backends,
  }
  const lambda = await startLambda({
    runtime: RUNTIME,
    folder: join(import.meta.dirname, '../../dist/lambda'),
    handler: 'index.handler',
    env: { CONFIG: stringify(config) },
  })
  return {
    url: lambda.url,
    key: secret,
    async rows(count) {
      const deadline = performance.now() + 5_000
      for (;;) {
        const rows = await db.select().from(usageLogs).orderBy(usageLogs.id)
        if (rows.length >= count || performance.now() > deadline) return rows
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    async stop() {
      await lambda.stop()
      close()
      await hrana.stop()
      folder.remove()
    },
  }
}

gatewayContract('Lambda', start, { abort: 'an invocation is not told that its client left' })
accountsContract('Lambda', start)
