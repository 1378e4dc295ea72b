/** Backups every so often, and what becomes of large databases at the start. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createInstallation, type Installation, numbersIn } from '../support/installation.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const SOON = { timeout: 35_000, interval: 100 }

describe('backups every so often', () => {
  let upstream: FakeUpstream
  let gateway: Installation
  let folder: string
  beforeEach(async () => {
    upstream = await startUpstream()
    gateway = createInstallation({
      backends: [{ name: 'a', url: upstream.url }],
      limits: { store: 'database' },
      health: { store: 'database' },
    })
    folder = join(gateway.folder, 'backups')
  })
  afterEach(async () => {
    await gateway.remove()
    await upstream.stop()
  })
  const events = (name: string) =>
    [...gateway.output().matchAll(/^\{.*\}$/gm)]
      .map(([line]) => JSON.parse(line))
      .filter(({ event }) => event === name)
  const kept = () => readdirSync(folder).filter((name) => /^gateway-.*Z\.db$/.test(name))

  test('are made once for several workers, are whole, and the oldest are removed; other files are left alone', async () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'mine.db'), 'mine')
    writeFileSync(join(folder, 'gateway-2026-01-01T00-00-00Z.db.part'), 'half')
    gateway.configure({
      server: { port: 0, host: '127.0.0.1', workers: 2 },
      backup: { every: '2s', keep: 2, folder },
    })
    await gateway.start()
    await expect.poll(() => events('backup.made').length, SOON).toBeGreaterThanOrEqual(3)
    await gateway.end('SIGTERM')
    const files: string[] = events('backup.made').map(({ file }) => file)
    const times = files.map((file) =>
      Date.parse(file.slice(-24, -4).replace(/T(\d\d)-(\d\d)-(\d\d)Z?/, 'T$1:$2:$3Z')),
    )
    expect(times.slice(1).filter((time, i) => time - (times[i] ?? 0) < 2_000)).toEqual([])
    expect(kept().toSorted()).toEqual(files.slice(-2).map((file) => file.slice(folder.length + 1)))
    for (const name of kept()) expect(await numbersIn(join(folder, name))).toMatchObject({ integrity: 'ok' })
    // A backup that the end of the process met is half made, and the next one removes it.
    expect(readdirSync(folder)).not.toContain('gateway-2026-01-01T00-00-00Z.db.part')
    expect(existsSync(join(folder, 'mine.db'))).toBe(true)
  }, 60_000)

  test('are kept also beside those of a clock that was ahead, which stay until their date', async () => {
    mkdirSync(folder)
    const ahead = ['gateway-2099-01-01T00-00-00Z.db', 'gateway-2099-01-02T00-00-00Z.db']
    for (const name of ahead) writeFileSync(join(folder, name), 'of a wrong clock')
    gateway.configure({ backup: { every: '2s', keep: 2, folder } })
    await gateway.start()
    await expect.poll(() => events('backup.made').length, SOON).toBeGreaterThanOrEqual(3)
    await gateway.end('SIGTERM')
    const files: string[] = events('backup.made').map(({ file }) => file)
    const newest = files.slice(-2).map((file) => file.slice(folder.length + 1))
    expect(kept().toSorted()).toEqual([...newest, ...ahead])
  }, 60_000)

  test('that fail are one line of the log, and the gateway goes on', async () => {
    writeFileSync(folder, 'a file where a folder should be')
    gateway.configure({ backup: { every: '1s', folder } })
    await gateway.start()
    await expect.poll(() => events('backup.failed').length, SOON).toBe(1)
    await expect.poll(gateway.ready).toBe(200)
    rmSync(folder)
    await expect.poll(() => events('backup.works_again').length, SOON).toBe(1)
    expect(events('backup.failed')).toMatchObject([{ folder, cause: expect.stringContaining('EEXIST') }])
    expect(kept().length).toBeGreaterThan(0)
  }, 60_000)
})

describe('a large database', () => {
  test('is served before it is checked, and damage is one line of the log', async () => {
    const upstream = await startUpstream()
    const gateway = createInstallation({ backends: [{ name: 'a', url: upstream.url }] })
    await gateway.cli('user', 'create', 'ann')
    const filled = await gateway.shell(`'${process.execPath}' -e '
      const Database = require("${join(import.meta.dirname, '../../node_modules/libsql')}")
      const db = new Database("gateway.db")
      db.exec("pragma journal_mode = delete; pragma auto_vacuum = 0; create table filler (bytes)")
      for (let i = 0; i < 70; i++) db.prepare("insert into filler values (zeroblob(1048576))").run()'`)
    expect(filled).toMatchObject({ code: 0 })
    await gateway.start()
    await expect.poll(gateway.output, SOON).toContain('database.checked')
    await gateway.end('SIGTERM')
    // A page in the middle, which no call reads.
    await gateway.shell('dd if=/dev/zero of=gateway.db bs=4096 seek=9000 count=1 conv=notrunc')
    await gateway.start()
    await expect.poll(gateway.ready).toBe(200)
    await expect.poll(gateway.output, SOON).toMatch(/"event":"database\.damaged".*filler/)
    await gateway.remove()
    await upstream.stop()
  }, 60_000)
})
