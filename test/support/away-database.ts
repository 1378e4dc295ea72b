/** A ledger whose database is away until it is called back: rows wait in the journal meanwhile. */
import { readdirSync } from 'node:fs'
import { count } from 'drizzle-orm'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import { usageLogs } from '../../core/db/schema.ts'
import type { Db, Ledger } from '../../core/ports.ts'
import { keptLogs } from './logs.ts'
import { callRecord } from './records.ts'
import { fileStore, temporaryFolder } from './stores.ts'

export async function awayDatabase() {
  const store = await fileStore()
  const folder = temporaryFolder()
  let away = true
  const logs = keptLogs()
  const database: Db = new Proxy(store.db, {
    get(target, name) {
      if (name === 'batch' && away) return () => Promise.reject(new Error('disk I/O error'))
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return {
    db: store.db,
    folder: folder.path,
    comesBack() {
      away = false
    },
    logs,
    async open(): Promise<Ledger> {
      const parts = { folder: folder.path, turn: createTurn(), clock: systemClock, logger: logs }
      const records = await journalledRecords({ ...parts, db: database })
      return localLedger({ db: store.db, records, clock: systemClock, failClosed: false })
    },
    files: () => readdirSync(folder.path).filter((name) => name.endsWith('.journal')),
    rows: async () => (await store.db.select({ rows: count() }).from(usageLogs))[0]?.rows,
    async stop() {
      await store.close()
      folder.remove()
    },
  }
}

export async function settleMany(ledger: Ledger, calls: number) {
  for (let i = 0; i < calls; i++) await ledger.settle(callRecord())
}
