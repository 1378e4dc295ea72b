/** Every Db driver, opened empty and migrated, for suites that must hold on each. */
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { openFile, type Storage } from '../../adapters/drivers/storage/libsql.ts'
import { openServer } from '../../adapters/drivers/storage/libsql-http.ts'
import { openServedFile } from '../../adapters/drivers/storage/served.ts'
import { migrate } from '../../core/db/migrate.ts'
import { migrations } from '../../core/db/migrations.gen.ts'
import type { Db } from '../../core/ports.ts'
import { type HranaServer, startHrana } from './hrana.ts'
import { keptLogs } from './logs.ts'
import { memoryStore, type OpenedStore, rowsOf } from './memory-store.ts'
import { startWorkerd } from './workerd.ts'

export function temporaryFolder(where = tmpdir()): { path: string; remove(): void } {
  const path = mkdtempSync(join(where, 'gateway-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Migrated files that all processes copy, because that takes a tenth of the time of migrating. */
const MIGRATED = join(import.meta.dirname, '../../node_modules/.cache/migrated')
const VERSION = createHash('sha256').update(JSON.stringify(migrations)).digest('hex')

/** Puts a migrated database where there is none. */
async function makeFile(file: string, make: (file: string) => Promise<void>): Promise<void> {
  const kept = join(MIGRATED, `${VERSION}-${make.name}.db`)
  if (!existsSync(kept)) {
    mkdirSync(MIGRATED, { recursive: true })
    const { path, remove } = temporaryFolder(MIGRATED)
    const made = join(path, 'made.db')
    await make(made)
    renameSync(made, kept)
    remove()
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  copyFileSync(kept, file)
}

/** Puts a migrated database where there is none, as the drivers of files make it. */
export const putMigrated = (file: string) => makeFile(file, migrateFile)

async function migrateFile(file: string) {
  const { db, close } = await openFile(file)
  await migrate(db)
  await close()
}

async function migrateServed(file: string) {
  const hrana = await startHrana(file)
  const { db, close } = openServer(hrana.url, hrana.token)
  await migrate(db)
  await close()
  await hrana.stop()
}

/** `open`: another driver, which migrates the file itself. */
export async function fileStore(
  open?: (path: string) => Promise<Storage>,
): Promise<OpenedStore & { file: string }> {
  const folder = temporaryFolder()
  const file = join(folder.path, 'gateway.db')
  if (!open) await putMigrated(file)
  const { db, close } = await (open ?? openFile)(file)
  if (open) await migrate(db)
  return {
    db,
    file,
    async close() {
      await close()
      folder.remove()
    },
  }
}

const servedStore = () => fileStore((path) => openServedFile(path, keptLogs(), { fsync: false }))

/** A libSQL server whose database is migrated. */
export async function startDatabase(): Promise<HranaServer> {
  const folder = temporaryFolder()
  const file = join(folder.path, 'server.db')
  await makeFile(file, migrateServed)
  const hrana = await startHrana(file)
  return {
    ...hrana,
    async stop() {
      await hrana.stop()
      folder.remove()
    },
  }
}

export async function serverStore(): Promise<OpenedStore> {
  const { url, token, stop } = await startDatabase()
  const { db, close } = openServer(url, token)
  return {
    db,
    async close() {
      await close()
      await stop()
    },
  }
}

/** Databases on D1 that no test holds. One that is used again is emptied, because migrating a new one takes seconds. */
const free: D1[] = []

interface D1 {
  db: Db
  /** Statements after which it is as it was migrated. */
  emptied: string[]
}

export async function d1Store(): Promise<OpenedStore> {
  const found = free.pop()
  const store = found ?? (await newD1())
  const { db, emptied } = store
  const [first, ...others] = emptied.map((statement) => db.run(sql.raw(statement)))
  if (found && first) await db.batch([first, ...others])
  return { db, close: async () => void free.push(store) }
}

/** It ends with the process that runs the tests. */
async function newD1(): Promise<D1> {
  const db = (await startWorkerd()).db()
  await migrate(db)
  const named = await db.all<{ name: string }>(
    sql`select name from sqlite_master where type = 'table' and name not like 'sqlite_%' and name not like '_cf_%'`,
  )
  const empty: string[] = []
  const kept: string[] = []
  for (const { name } of named) {
    const rows = await rowsOf(db, name)
    const remove = `delete from "${name}"`
    if (rows.length === 0) empty.push(remove)
    else kept.push(remove, ...rows)
  }
  // Twice, because triggers write rows about those that were deleted.
  return { db, emptied: [...empty, ...empty, ...kept, 'delete from sqlite_sequence'] }
}

export const STORES: Readonly<Record<string, () => Promise<OpenedStore>>> = {
  'libSQL in memory': memoryStore,
  'libSQL file': () => fileStore(),
  'libSQL file of a server, in a thread': servedStore,
  'libSQL server (own Hrana double)': serverStore,
  D1: d1Store,
}
