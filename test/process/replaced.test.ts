/** What somebody does to the files of a gateway that runs: it is noticed, and neither the old nor the new file is damaged. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createInstallation, type Installation, numbersIn } from '../support/installation.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const NOTICED = { timeout: 5_000, interval: 100 }
const BACKED_UP = 3
const RUNNING = 5

describe('while a gateway runs', () => {
  const shelf = temporaryFolder()
  let upstream: FakeUpstream
  let gateway: Installation
  let key = ''
  beforeAll(async () => {
    upstream = await startUpstream()
  })
  beforeEach(async () => {
    gateway = createInstallation({
      backends: [{ name: 'a', url: upstream.url }],
      auth: { admin_itcode: 'admin' },
    })
    await gateway.cli('user', 'create', 'ann')
    key = (await gateway.cli('key', 'create', 'ann')).stdout.trim()
    await gateway.start()
    await call(BACKED_UP)
    await gateway.shell(`rm -f ${shelf.path}/*`)
    expect(await gateway.cli('backup', join(shelf.path, 'backup.db'))).toMatchObject({ code: 0 })
    await call(RUNNING - BACKED_UP)
    await vi.waitFor(async () => expect(await gateway.ready()).toBe(200), { timeout: 10_000 })
  }, 60_000)
  afterEach(() => gateway.remove())
  afterAll(async () => {
    await upstream.stop()
    shelf.remove()
  })

  async function call(times: number) {
    for (let i = 0; i < times; i++) {
      const headers = { 'content-type': 'application/json', 'x-api-key': key }
      const body = JSON.stringify(ASK)
      const answer = await fetch(`${gateway.url()}/v1/messages`, { method: 'POST', headers, body })
      expect(answer.status).toBe(200)
      await answer.text()
    }
    const journal = join(gateway.folder, 'data/journal')
    const waiting = () => gateway.shell('cat journal/*.journal | wc -c').then(({ stdout }) => Number(stdout))
    if (existsSync(journal)) await vi.waitFor(async () => expect(await waiting()).toBe(0), { timeout: 5_000 })
  }
  const shell = async (script: string) =>
    expect(await gateway.shell(`SHELF='${shelf.path}'\n${script}`)).toMatchObject({ code: 0 })
  const lines = () => gateway.output().match(/"event":"database\.replaced".*/g)?.length ?? 0

  test.each([
    ['copies a backup over its database', 'cp $SHELF/backup.db gateway.db', BACKED_UP],
    ['moves a backup there', 'cp $SHELF/backup.db b && mv b gateway.db', BACKED_UP],
    [
      'removes its database and copies a backup there',
      'rm gateway.db && cp $SHELF/backup.db gateway.db',
      BACKED_UP,
    ],
    [
      'removes its write-ahead log and copies a backup there',
      'rm gateway.db-* && cp $SHELF/backup.db gateway.db',
      BACKED_UP,
    ],
  ])(
    'who %s is told within five seconds, and finds the backup after a restart',
    async (_what, script, calls) => {
      await shell(script)
      await expect.poll(gateway.ready, NOTICED).toBe(503)
      await expect.poll(lines, NOTICED).toBe(1)
      expect(gateway.output()).toContain('restart the gateway')
      await gateway.end('SIGTERM')
      await gateway.start()
      await expect.poll(gateway.ready).toBe(200)
      await gateway.end('SIGTERM')
      expect(await numbersIn(gateway.database)).toMatchObject({ calls, summed: calls, integrity: 'ok' })
    },
    60_000,
  )

  test('who kills it right after copying a backup over its database finds the backup', async () => {
    await shell('cp $SHELF/backup.db gateway.db')
    await gateway.end('SIGKILL')
    await gateway.start()
    await gateway.end('SIGTERM')
    expect(await numbersIn(gateway.database)).toMatchObject({ calls: BACKED_UP, integrity: 'ok' })
  }, 60_000)

  test('who stops it right after copying a backup over its database finds the backup', async () => {
    await shell('cp $SHELF/backup.db gateway.db')
    await gateway.end('SIGTERM')
    await gateway.start()
    await gateway.end('SIGTERM')
    expect(await numbersIn(gateway.database)).toMatchObject({ calls: BACKED_UP, integrity: 'ok' })
  }, 60_000)

  test('a database that is removed is missed, and the next start says that its log is there', async () => {
    await shell('rm gateway.db')
    await expect.poll(gateway.ready, NOTICED).toBe(503)
    await expect.poll(lines).toBe(1)
    await gateway.end('SIGTERM')
    await expect(gateway.start()).rejects.toThrow(/is gone, but its write-ahead log is there/)
  }, 60_000)

  test('nothing is restored, also where its database was removed', async () => {
    const said = /A process works on .*stop the gateway first/
    expect(await gateway.shell(`restore ${shelf.path}/backup.db`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(said),
    })
    await shell('rm gateway.db gateway.db-*')
    expect(await gateway.shell(`restore ${shelf.path}/backup.db`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(said),
    })
    expect(existsSync(gateway.database)).toBe(false)
  }, 60_000)

  test('calls go on after its database was replaced, and are in the new one after a restart', async () => {
    await shell('cp $SHELF/backup.db gateway.db')
    await expect.poll(gateway.ready, NOTICED).toBe(503)
    const headers = { 'content-type': 'application/json', 'x-api-key': key }
    const body = JSON.stringify(ASK)
    for (let i = 0; i < 2; i++) {
      expect((await fetch(`${gateway.url()}/v1/messages`, { method: 'POST', headers, body })).status).toBe(
        200,
      )
    }
    await gateway.end('SIGTERM')
    await gateway.start()
    expect(gateway.output()).toContain('database.foreign_log')
    await gateway.end('SIGTERM')
    expect(await numbersIn(gateway.database)).toMatchObject({ calls: BACKED_UP + 2, integrity: 'ok' })
    expect(
      readdirSync(join(gateway.folder, 'data')).some((name) => name.startsWith('gateway.db-wal.2')),
    ).toBe(true)
  }, 60_000)

  test('who removes its journal is told once, and a new one keeps what is not in the database yet', async () => {
    await shell('rm -r journal')
    const told = () => gateway.output().match(/"event":"journal\.(failed|works_again)"/g)
    await expect.poll(told, NOTICED).toEqual(['"event":"journal.failed"', '"event":"journal.works_again"'])
    expect(gateway.output()).toMatch(/the journal in .*journal was removed or replaced/)
    expect(await gateway.ready()).toBe(200)
    // Rows stay in the journal alone while there is no database.
    await shell('cp $SHELF/backup.db gateway.db')
    await expect.poll(gateway.ready, NOTICED).toBe(503)
    const headers = { 'content-type': 'application/json', 'x-api-key': key }
    const body = JSON.stringify(ASK)
    expect((await fetch(`${gateway.url()}/v1/messages`, { method: 'POST', headers, body })).status).toBe(200)
    await gateway.end('SIGKILL')
    await gateway.start()
    await gateway.end('SIGTERM')
    expect(await numbersIn(gateway.database)).toMatchObject({ calls: BACKED_UP + 1, integrity: 'ok' })
  }, 60_000)

  test('its log is moved into the database before it has grown by much', async () => {
    const big = 'x'.repeat(6_000_000)
    const written = await gateway.shell(`'${process.execPath}' -e '
      const Database = require("${join(import.meta.dirname, '../../node_modules/libsql')}")
      const db = new Database("gateway.db")
      db.exec("pragma wal_autocheckpoint = 0")
      db.exec("create table filler (text)")
      db.prepare("insert into filler values (?)").run("x".repeat(${big.length}))'`)
    expect(written).toMatchObject({ code: 0 })
    const bytes = async () => Number((await gateway.shell('stat -c %s gateway.db-wal')).stdout)
    await expect.poll(bytes, NOTICED).toBeLessThan(1_000_000)
    expect([await gateway.ready(), lines()]).toEqual([200, 0])
  }, 60_000)

  test('somebody who reads for long, so that nothing can be moved, is not taken for another database', async () => {
    const read = await gateway.shell(`'${process.execPath}' -e '
      const Database = require("${join(import.meta.dirname, '../../node_modules/libsql')}")
      const [db, reader] = [new Database("gateway.db"), new Database("gateway.db")]
      db.exec("pragma wal_autocheckpoint = 0")
      db.exec("create table filler (text)")
      reader.exec("begin")
      reader.prepare("select count(*) from filler").get()
      db.prepare("insert into filler values (?)").run("x".repeat(6_000_000))
      setTimeout(() => {}, 9_000)'`)
    expect(read).toMatchObject({ code: 0 })
    expect([await gateway.ready(), lines()]).toEqual([200, 0])
    // And what it kept out is moved then.
    const bytes = async () => Number((await gateway.shell('stat -c %s gateway.db-wal')).stdout)
    await expect.poll(bytes, NOTICED).toBeLessThan(1_000_000)
  }, 60_000)
})
