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
import type { Db } from '../../../core/ports.ts'
import { heal } from './heal.ts'
import { httpDatabase } from './libsql-http.ts'

export interface Storage {
  db: Db
  /** Copies the database to a new file while calls go on. Rejects if the file exists or the database is a server. */
  backup(file: string): Promise<void>
  close(): void
}

const PATIENCE_MS = 5_000

/** Opens the database file, or creates it with mode 0600. Rejects with an Error that names the path if it cannot be used. */
export async function openFile(path: string): Promise<Storage> {
  const memory = path === ':memory:'
  if (!memory) prepareFile(path)
  const client = patient(createClient({ url: memory ? path : `file:${path}` }))
  try {
    await client.execute('pragma journal_mode = wal')
    await client.execute('pragma synchronous = normal')
    const [check] = (await client.execute('pragma quick_check(1)')).rows
    if (check?.quick_check !== 'ok') throw new Error(`the integrity check says: ${check?.quick_check}`)
    await heal(client)
  } catch (cause) {
    client.close()
    throw new Error(`Database ${path} cannot be used: ${reason(cause)}`, { cause })
  }
  return storage(client)
}

/** Connects to a libSQL server. */
export function openServer(url: string, authToken: string): Storage {
  return {
    ...httpDatabase(url, authToken),
    backup: () => Promise.reject(new Error('A libSQL server is backed up where it runs.')),
  }
}

function storage(client: Client): Storage {
  return {
    db: drizzle(client, { schema }),
    async backup(file) {
      if (existsSync(file)) throw new Error(`${file} exists already.`)
      await client.execute({ sql: 'vacuum into ?', args: [file] })
      chmodSync(file, 0o600)
    },
    close: () => client.close(),
  }
}

/** The same client, whose statements and batches retry while the file is busy. A batch takes the write lock at its start. */
function patient(client: Client): Client {
  const execute: Client['execute'] = (statement: never) => patiently(client, () => client.execute(statement))
  const batch: Client['batch'] = (statements) => patiently(client, () => client.batch(statements, 'write'))
  return new Proxy(client, {
    get(target, name) {
      if (name === 'execute') return execute
      if (name === 'batch') return batch
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function patiently<T>(client: Client, action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS
  for (let wait = 2; ; wait = Math.min(wait * 2, 100)) {
    try {
      return await action()
    } catch (cause) {
      if (!isBusy(cause) || performance.now() > deadline) throw cause
    }
    // A statement that met a lock stays open in the native driver and pins its snapshot, so that every later write fails until
    // there is a new connection: https://github.com/tursodatabase/libsql-client-ts/issues/350
    client.reconnect()
    await client.execute('pragma synchronous = normal').catch(() => {})
    // Random, so that two waiting processes do not retry at the same moments.
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random())))
  }
}

function isBusy(cause: unknown): boolean {
  return cause instanceof LibsqlError && /^SQLITE_(BUSY|LOCKED)/.test(cause.code)
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
