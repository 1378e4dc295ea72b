/** A changed configuration while things are not as they should be. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import Database from 'libsql'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { createInstallation, type Installation } from '../support/installation.ts'
import { freePort } from '../support/ports.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const SOON = { timeout: 60_000 }

let upstream: FakeUpstream
let gateway: Installation
beforeEach(async () => {
  upstream = await startUpstream()
  gateway = createInstallation({ backends: [{ name: 'a', url: upstream.url }] })
})
afterEach(async () => {
  await gateway.remove()
  await upstream.stop()
})
const count = (event: string) => gateway.output().split(`"event":"${event}"`).length - 1

test('a reload that is asked for while the server starts waits until it has started', async () => {
  const starting = gateway.start()
  await expect.poll(() => count('server.starting'), { ...SOON, interval: 1 }).toBe(1)
  gateway.signal('SIGHUP')
  await starting
  await expect.poll(() => count('config.reloaded'), SOON).toBe(1)
}, 120_000)

test('a reload is not told as failed when it is in force and the database alone takes no row', async () => {
  await gateway.start()
  const other = new Database(gateway.database)
  other.exec('begin immediate')
  gateway.signal('SIGHUP')
  await expect.poll(() => count('audit.failed'), SOON).toBe(1)
  other.exec('rollback')
  other.close()
  expect([count('config.reloaded'), count('config.reload_failed')]).toEqual([1, 0])
}, 120_000)

test('workers get another file of a secret, also when the one of the start is gone, and are replaced with what was in force', async () => {
  const secret = (name: string) => join(gateway.folder, name)
  const backends = (name: string) => [{ name: 'a', url: upstream.url, api_key: `\${file:${secret(name)}}` }]
  for (const name of ['old', 'new']) writeFileSync(secret(name), `upstream-key-${name}`)
  const server = { port: await freePort(), host: '127.0.0.1', workers: 2, drain_delay: 0 }
  gateway.configure({ server, backends: backends('old') })
  await gateway.start()
  await expect.poll(() => count('cluster.started'), SOON).toBe(1)
  rmSync(secret('old'))
  gateway.configure({ backends: backends('new') })
  gateway.signal('SIGHUP')
  await expect.poll(() => count('cluster.restarted'), SOON).toBe(1)
  rmSync(secret('new'))
  gateway.signal('SIGUSR2')
  await expect.poll(() => count('cluster.restarted'), SOON).toBe(2)
  expect(count('cluster.restart_failed')).toBe(0)
}, 240_000)

test('a command leaves the calendar of limits to the server that runs, although its file has another already', async () => {
  await gateway.start()
  gateway.configure({ limits: { time_zone: 'Asia/Kathmandu' } })
  const zone = async () => {
    const { db, close } = await openFile(gateway.database)
    const found = await db.all(sql`select time_zone as zone from limit_state`)
    await close()
    return found
  }
  expect(await gateway.cli('user', 'create', 'ann')).toMatchObject({ code: 0 })
  await gateway.end('SIGTERM')
  expect(await zone()).toEqual([{ zone: 'UTC' }])
  await gateway.start()
  await gateway.end('SIGTERM')
  expect(await zone()).toEqual([{ zone: 'Asia/Kathmandu' }])
}, 120_000)
