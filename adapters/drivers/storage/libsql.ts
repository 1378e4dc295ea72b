/**
 * Db on a libSQL file, which processes of one machine can share, or on a libSQL server.
 *
 * Decision: while the file is busy, this driver waits between attempts instead of using SQLite's busy timeout, because the
 * native driver is synchronous and would block the event loop and every stream.
 */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Client, createClient, LibsqlError } from '@libsql/client'
import { drizzle } from 'drizzle-orm/libsql'
import * as schema from '../../../core/db/schema.ts'
import { DatabaseUnavailable } from '../../../core/errors.ts'
import type { Db, Logger } from '../../../core/ports.ts'
import { connectionsClosed } from './close.ts'
import { enter, GUARDED, type Guard, guardFile, markFile } from './guard.ts'
import { heal } from './heal.ts'
import { checkInBackground, checkIntegrity, isLarge } from './integrity.ts'
import { putAsideForeignLog } from './left-log.ts'
import { httpDatabase } from './libsql-http.ts'

export interface Storage {
  db: Db
  /** Copies the database to a new file while calls go on. Rejects if the file exists or the database is a server. */
  backup(file: string): Promise<void>
  /** After the last process closed it, a database is one file, without a write-ahead log. */
  close(): Promise<void>
}

const PATIENCE_MS = 5_000
const UNGUARDED = 'pragma synchronous = normal'

/**
 * Opens the database file, or creates it with mode 0600. Rejects with an Error that names the path if it cannot be used. The
 * caller must have no other connection to the file.
 */
export async function openFile(path: string, logger: Pick<Logger, 'warn'> = { warn() {} }): Promise<Storage> {
  const memory = path === ':memory:'
  if (!memory) {
    putAsideForeignLog(path, logger)
    prepareFile(path)
  }
  const client = await usable(path, () =>
    opened(memory ? path : `file:${path}`, UNGUARDED, { background: isLarge(path) }),
  )
  return storage(client, async () => {
    client.close()
    if (!memory) await connectionsClosed()
  })
}

/**
 * As openFile, for a server: nobody can restore a backup meanwhile, and a file that somebody puts in its place is noticed. All
 * statements reject from then on, so that neither file is damaged. `fsync`: whether a batch is on the disk itself when it
 * resolves; else power loss may take the last ones back.
 */
export async function openServedFile(
  path: string,
  logger: Logger,
  { fsync }: { fsync: boolean },
): Promise<Storage> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  putAsideForeignLog(path, logger)
  prepareFile(path)
  await usable(path, async () => markFile(path))
  const held = await enter(path)
  const file = openSync(path, 'r')
  let guard: Guard | undefined
  const check = () => {
    const problem = guard?.problem()
    if (problem) {
      throw new DatabaseUnavailable(`Database ${path} cannot be used: ${problem}. Restart the gateway.`)
    }
  }
  const background = isLarge(path)
  const pragmas = fsync ? `${GUARDED}; pragma synchronous = full` : GUARDED
  const client = await usable(path, () => opened(`file:${path}`, pragmas, { check, background }))
  guard = guardFile(path, file, logger)
  const stopCheck = background ? checkInBackground(path, logger) : () => {}
  return storage(client, async () => {
    stopCheck()
    guard.close()
    if (guard.problem()) return
    client.close()
    await connectionsClosed()
    closeSync(file)
    held.release()
  })
}

async function usable<T>(path: string, open: () => Promise<T>): Promise<T> {
  try {
    return await open()
  } catch (cause) {
    throw new Error(`Database ${path} cannot be used: ${reason(cause)}`, { cause })
  }
}

/**
 * `pragmas` hold for each connection. `check` throws when the file must not be touched any more. `background`: the integrity is
 * checked elsewhere.
 */
async function opened(
  url: string,
  pragmas: string,
  { check = () => {}, background = false }: { check?: () => void; background?: boolean } = {},
): Promise<Client> {
  // One connection, because the driver is synchronous and another would have none of the pragmas.
  const client = patient(createClient({ url, concurrency: 1 }), pragmas, check)
  try {
    await client.execute('pragma journal_mode = wal')
    await client.executeMultiple(pragmas)
    if (!background) await checkIntegrity(client)
    await heal(client)
    return client
  } catch (cause) {
    client.close()
    throw cause
  }
}

/** Connects to a libSQL server. */
export function openServer(url: string, authToken: string): Storage {
  const { db, close } = httpDatabase(url, authToken)
  return {
    db,
    close: async () => close(),
    backup: () => Promise.reject(new Error('A libSQL server is backed up where it runs.')),
  }
}

function storage(client: Client, close: Storage['close']): Storage {
  return {
    db: drizzle(client, { schema }),
    async backup(file) {
      if (existsSync(file)) throw new Error(`${file} exists already.`)
      await client.execute({ sql: 'vacuum into ?', args: [file] })
      chmodSync(file, 0o600)
    },
    close,
  }
}

/** The same client, whose statements and batches retry while the file is busy. A batch takes the write lock at its start. */
function patient(client: Client, pragmas: string, check: () => void): Client {
  const retried = <T>(action: () => Promise<T>) => patiently(client, pragmas, check, action)
  const execute: Client['execute'] = (statement: never) => retried(() => client.execute(statement))
  const batch: Client['batch'] = (statements) => retried(() => client.batch(statements, 'write'))
  return new Proxy(client, {
    get(target, name) {
      if (name === 'execute') return execute
      if (name === 'batch') return batch
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function patiently<T>(
  client: Client,
  pragmas: string,
  check: () => void,
  action: () => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS
  for (let wait = 2; ; wait = Math.min(wait * 2, 100)) {
    check()
    try {
      return await action()
    } catch (cause) {
      // Nothing of it has run: another statement, which met a lock, took the connection away before.
      if (wasReplaced(cause) && !client.closed && performance.now() <= deadline) continue
      if (!isBusy(cause)) throw cause
      if (performance.now() > deadline) {
        throw new DatabaseUnavailable('The database is locked by another process.', { cause })
      }
    }
    // A statement that met a lock stays open in the native driver and pins its snapshot, so that every later write fails until
    // there is a new connection: https://github.com/tursodatabase/libsql-client-ts/issues/350
    client.reconnect()
    await client.executeMultiple(pragmas).catch(() => {})
    // Random, so that two waiting processes do not retry at the same moments.
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())))
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof LibsqlError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code)
}

function wasReplaced(cause: unknown): boolean {
  return cause instanceof LibsqlError && cause.code === 'CLIENT_CLOSED'
}

function prepareFile(path: string) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
  const stats = statSync(path)
  if (!stats.isFile()) throw new Error(`Database ${path} is not a file.`)
  if (stats.mode & 0o077) chmodSync(path, 0o600)
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
