/** Every order of stop, copy and start: the numbers of the backup, or a refusal that says why. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { migrate, missingMigrations } from '../../core/db/migrate.ts'
import { migrations } from '../../core/db/migrations.gen.ts'
import { addToHourly, addToSums, ofLog } from '../../core/reports/rollups.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { createInstallation, type Installation, numbersIn } from '../support/installation.ts'
import { callRecord } from '../support/records.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
/** Calls when the backups were made, at the stop, at the kill. */
const [BACKED_UP, STOPPED, KILLED] = [5, 7, 9]
/** Calls that were in the journal alone when a server was killed. */
const WAITING = 2

/**
 * What an operator has: `backup.db`, made by the command line; `copy/`, copied with cp from a running server; `stopped/` and
 * `killed/`, data folders of a server that ended so; `waiting/`, one where calls are in the journal alone; `other.db`; `old.db`, `newer.db`, `original.db` and damaged files.
 */
const shelf = temporaryFolder()
const at = (name: string) => join(shelf.path, name)
let upstream: FakeUpstream
let key = ''

async function call(gateway: Installation, times: number) {
  for (let i = 0; i < times; i++) {
    const headers = { 'content-type': 'application/json', 'x-api-key': key }
    const answer = await fetch(`${gateway.url()}/v1/messages`, {
      method: 'POST',
      headers,
      body: JSON.stringify(ASK),
    })
    expect(answer.status).toBe(200)
    await answer.text()
  }
}

/** Resolves when the journal is empty: all rows are in the database then. */
const stored = (gateway: Installation) => {
  const folder = join(gateway.folder, 'data/journal')
  const bytes = () =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.journal'))
      .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  return vi.waitFor(() => expect(bytes()).toBe(0), { timeout: 10_000 })
}

const created = () =>
  createInstallation({ backends: [{ name: 'a', url: upstream.url }], auth: { admin_itcode: 'admin' } })

beforeAll(async () => {
  upstream = await startUpstream()
  const gateway = created()
  await gateway.cli('user', 'create', 'ann')
  key = (await gateway.cli('key', 'create', 'ann')).stdout.trim()
  await gateway.start()
  await call(gateway, BACKED_UP)
  await stored(gateway)
  expect(await gateway.cli('backup', at('backup.db'))).toMatchObject({ code: 0 })
  await gateway.shell(`mkdir '${at('copy')}' && cp gateway.db gateway.db-wal '${at('copy')}'`)
  await call(gateway, STOPPED - BACKED_UP)
  await gateway.end('SIGTERM')
  cpSync(join(gateway.folder, 'data'), at('stopped'), { recursive: true })
  await gateway.start()
  await call(gateway, KILLED - STOPPED)
  await stored(gateway)
  await gateway.end('SIGKILL')
  cpSync(join(gateway.folder, 'data'), at('killed'), { recursive: true })
  await gateway.start()
  await gateway.shell(`cp '${at('backup.db')}' gateway.db`)
  await vi.waitFor(async () => expect(await gateway.ready()).toBe(503), { timeout: 10_000 })
  await call(gateway, WAITING)
  await gateway.end('SIGKILL')
  cpSync(join(gateway.folder, 'data'), at('waiting'), { recursive: true })
  await gateway.remove()
  await makeOddFiles()
}, 120_000)
afterAll(async () => {
  await upstream.stop()
  shelf.remove()
})

async function makeOddFiles() {
  const old = await openFile(at('old.db'))
  await old.db.run(sql`create table d1_migrations (id integer primary key autoincrement, name text unique)`)
  for (const { name, statements } of migrations.slice(0, -1)) {
    for (const statement of statements) await old.db.run(sql.raw(statement))
    await old.db.run(sql`insert into d1_migrations (name) values (${name})`)
  }
  await old.db.run(sql`insert into usage_logs (request_id, user_id, api_key_id, requested_model, model, backend, input_tokens,
    output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_micros, status_code, outcome, estimated,
    unpriced, stream, attempts, latency_ms, created_at)
    values ('req_old', 1, 1, 'm', 'm', 'a', 1, 1, 0, 0, 0, 5, 200, 'ok', 0, 0, 0, 1, 1, ${Date.now()})`)
  for (const add of [addToHourly, addToSums]) await old.db.run(add(ofLog(sql`usage_logs`)))
  await old.db.run(sql`update usage_summed set log_id = 1`)
  await old.close()
  const other = await openFile(at('other.db'))
  await migrate(other.db)
  await writeRecords(other.db, [recordText(callRecord())])
  await other.close()
  const newer = await openFile(at('newer.db'))
  await migrate(newer.db)
  await newer.db.run(sql`insert into d1_migrations (name) values ('9999_from_the_future.sql')`)
  await newer.close()
  const original = await openFile(at('original.db'))
  for (const table of ['users', 'api_keys', 'usage_logs']) {
    await original.db.run(sql.raw(`create table ${table} (id integer primary key)`))
  }
  await original.close()
  const backup = readFileSync(at('backup.db'))
  writeFileSync(at('text.db'), 'this is a text, '.repeat(100))
  writeFileSync(at('empty.db'), '')
  writeFileSync(at('cut.db'), backup.subarray(0, backup.length / 2))
  // The roots of the tables stay whole, so that only a check of all pages finds it.
  writeFileSync(at('damaged.db'), Buffer.from(backup).fill(0xff, backup.length - 8192))
}

type Left = 'stopped' | 'killed' | 'waiting'

/** A new installation with the data that a server left. */
async function installed(from: Left): Promise<Installation> {
  const gateway = created()
  cpSync(at(from), join(gateway.folder, 'data'), { recursive: true })
  return gateway
}

async function numbersAfterStart(gateway: Installation) {
  await gateway.start()
  await expect.poll(gateway.ready).toBe(200)
  expect(await gateway.end('SIGTERM')).toBe(0)
  expect(
    readdirSync(join(gateway.folder, 'data')).filter((name) => /^gateway\.db-(wal|shm|journal)$/.test(name)),
  ).toEqual([])
  const { calls, summed, integrity } = await numbersIn(gateway.database)
  expect({ summed, integrity }).toEqual({ summed: calls, integrity: 'ok' })
  return calls
}

describe('after a stop, an operator may', () => {
  test.each([
    ['do nothing', '', STOPPED],
    ['copy a backup over the database', 'cp $SHELF/backup.db gateway.db', BACKED_UP],
    ['move a backup there', 'cp $SHELF/backup.db b && mv b gateway.db', BACKED_UP],
    ['copy there what was copied from a running server', 'cp $SHELF/copy/* .', BACKED_UP],
    ['remove all and copy a backup there', 'rm -rf * && cp $SHELF/backup.db gateway.db', BACKED_UP],
    ['remove all', 'rm -rf *', 0],
    ['restore a backup', 'restore $SHELF/backup.db', BACKED_UP],
    ['restore a backup twice', 'restore $SHELF/backup.db && restore $SHELF/backup.db', BACKED_UP],
    ['restore what was copied from a running server', 'restore $SHELF/copy/gateway.db', BACKED_UP],
    ['restore what a stopped server left', 'restore $SHELF/stopped/gateway.db', STOPPED],
    ['restore what a killed server left', 'restore $SHELF/killed/gateway.db', KILLED],
    ['restore a backup of an older version', 'restore $SHELF/old.db', 1],
    ['restore into an empty folder', 'rm -rf * && restore $SHELF/backup.db', BACKED_UP],
    [
      'go back to what the restoring put aside',
      'restore $SHELF/backup.db && mv gateway.db.2* gateway.db',
      STOPPED,
    ],
  ])('%s', (_what, script, calls) => expectNumbers('stopped', script, calls), 60_000)
})

describe('after a kill -9, an operator may', () => {
  test.each([
    ['do nothing', '', KILLED],
    ['copy a backup over the database, beside the old log', 'cp $SHELF/backup.db gateway.db', BACKED_UP],
    ['move a backup there, beside the old log', 'cp $SHELF/backup.db b && mv b gateway.db', BACKED_UP],
    ['copy a stopped database there, beside the old log', 'cp $SHELF/stopped/gateway.db .', STOPPED],
    ['copy there what was copied from a running server', 'cp $SHELF/copy/* .', BACKED_UP],
    [
      'copy only the file of a running server there, beside the old log',
      'cp $SHELF/copy/gateway.db .',
      'alone',
    ],
    ['restore a backup', 'restore $SHELF/backup.db', BACKED_UP],
    [
      'restore a backup and bring the old log back',
      'restore $SHELF/backup.db && cp $SHELF/killed/*-wal .',
      BACKED_UP,
    ],
    ['restore over the database that was removed', 'rm gateway.db && restore $SHELF/backup.db', BACKED_UP],
    [
      'remove the log as well and copy a backup there',
      'rm gateway.db* && cp $SHELF/backup.db gateway.db',
      BACKED_UP,
    ],
    ['copy all of another folder there', 'cp -r $SHELF/stopped/* . && rm gateway.db-*', STOPPED],
  ])('%s', (_what, script, calls) => expectNumbers('killed', script, calls), 60_000)
})

describe('when calls are in the journal alone, an operator may', () => {
  test.each([
    ['do nothing', '', BACKED_UP + WAITING, ''],
    ['restore a backup', 'restore $SHELF/backup.db', BACKED_UP + WAITING, 'The next start adds'],
    ['restore another database', 'restore $SHELF/other.db', 1, 'Nothing shows that these records belong'],
    ['copy a backup there', 'rm gateway.db-* && cp $SHELF/backup.db gateway.db', BACKED_UP + WAITING, ''],
  ])('%s', (_what, script, calls, said) => expectNumbers('waiting', script, calls, said), 60_000)
})

async function expectNumbers(from: Left, script: string, calls: number | string, said = '') {
  const gateway = await installed(from)
  const done = await gateway.shell(`SHELF='${shelf.path}'\n${script}`)
  expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining(said) })
  const alone = async () => {
    await gateway.shell(`mkdir ../alone && cp '${at('copy')}/gateway.db' ../alone`)
    return (await numbersIn(join(gateway.folder, 'alone/gateway.db'))).calls
  }
  expect(await numbersAfterStart(gateway)).toBe(calls === 'alone' ? await alone() : calls)
  await gateway.remove()
}

describe('is refused, and nothing is changed:', () => {
  test.each([
    ['a file that is missing', '$SHELF/none.db', /There is no file/],
    ['a folder', '$SHELF', /There is no file/],
    ['a text', '$SHELF/text.db', /text\.db is no whole database: .*not a database/],
    ['an empty file', '$SHELF/empty.db', /empty\.db is no database of this gateway/],
    ['half a backup', '$SHELF/cut.db', /cut\.db (is damaged|is no whole database)/],
    ['a damaged backup', '$SHELF/damaged.db', /damaged\.db (is damaged|is no whole database)/],
    ['a backup of a newer version', '$SHELF/newer.db', /newer\.db: .*newer than this gateway/],
    ['a database of the original gateway', '$SHELF/original.db', /original gateway: use import/],
    ['the database itself', 'gateway.db', /is the database itself/],
  ])('to restore %s', async (_what, file, said) => {
    const gateway = await installed('stopped')
    const before = readFileSync(gateway.database)
    const done = await gateway.shell(`SHELF='${shelf.path}'\nrestore ${file}`)
    expect(done).toMatchObject({ code: 1, stderr: expect.stringMatching(said) })
    expect(readFileSync(gateway.database).equals(before)).toBe(true)
    const left = readdirSync(join(gateway.folder, 'data')).filter((name) => name !== 'gateway.db.lock')
    expect(left.toSorted()).toEqual(
      readdirSync(at('stopped'))
        .filter((name) => name !== 'gateway.db.lock')
        .toSorted(),
    )
    await gateway.remove()
  })

  test.each([
    [
      'that was removed, while its log is there',
      'killed',
      'rm gateway.db',
      /is gone, but its write-ahead log is there/,
    ],
    [
      'that is empty, while its log is there',
      'killed',
      ': > gateway.db',
      /is gone, but its write-ahead log is there/,
    ],
    ['that is no database', 'stopped', 'cp $SHELF/text.db gateway.db', /not a database/],
    ['that is half a backup', 'stopped', 'cp $SHELF/cut.db gateway.db', /cannot be used/],
    ['that a newer version wrote', 'stopped', 'cp $SHELF/newer.db gateway.db', /newer than this gateway/],
  ] as const)('to start on a database %s', async (_what, from, script, said) => {
    const gateway = await installed(from)
    expect(await gateway.shell(`SHELF='${shelf.path}'\n${script}`)).toMatchObject({ code: 0 })
    await expect(gateway.start()).rejects.toThrow(said)
    if (from === 'killed') expect(existsSync(`${gateway.database}-wal`)).toBe(true)
    await gateway.remove()
  })
})

test('a backup before an upgrade leaves the database to the older version, and none is made of a database that is not there', async () => {
  const gateway = created()
  const file = join(gateway.folder, 'new.db')
  expect(await gateway.cli('backup', file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`There is no database ${gateway.database}`),
  })
  expect([existsSync(gateway.database), existsSync(file)]).toEqual([false, false])
  mkdirSync(dirname(gateway.database), { recursive: true })
  cpSync(at('old.db'), gateway.database)
  expect(await gateway.cli('backup', file)).toMatchObject({ code: 0 })
  for (const path of [gateway.database, file]) {
    const { db, close } = await openFile(path)
    expect(await missingMigrations(db)).toHaveLength(1)
    await close()
  }
  await gateway.remove()
})
