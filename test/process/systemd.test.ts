import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { openFile, type Storage } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'
import { startSlowUpstream } from '../support/restarts.ts'
import { clientOf, complete } from '../support/runtime.ts'
import { temporaryFolder } from '../support/stores.ts'
import { startTraffic } from '../support/traffic.ts'
import type { FakeUpstream } from '../support/upstream.ts'

const has = (program: string) => spawnSync(program, ['--version']).status === 0
const CAN = (has('python3') && has('systemd-notify')) || process.env.CI !== undefined
const SLOW = { timeout: 60_000 }

describe.skipIf(!CAN)('a service whose socket systemd keeps', () => {
  let upstream: FakeUpstream
  let folder: ReturnType<typeof temporaryFolder>
  let storage: Storage
  let systemd: ChildProcess | undefined
  beforeEach(async () => {
    upstream = await startSlowUpstream()
    folder = temporaryFolder()
    storage = await openFile(join(folder.path, 'gateway.db'))
    await migrate(storage.db)
  })
  afterEach(async () => {
    const ended = systemd && once(systemd, 'exit')
    systemd?.stdin?.end()
    await ended
    storage.close()
    folder.remove()
    await upstream.stop()
  })

  async function startService(workers: number) {
    const settings = {
      backends: [{ name: 'a', url: upstream.url }],
      database: { path: join(folder.path, 'gateway.db') },
      server: { port: 1, host: '127.0.0.1', drain_delay: '500ms', workers },
      health: { startup_check: 'off' },
    }
    const CONFIG_PATH = join(folder.path, 'config.yaml')
    writeFileSync(CONFIG_PATH, stringify(complete(settings)))
    const stand = join(import.meta.dirname, '../support/systemd.py')
    const program = [process.execPath, 'adapters/node/index.ts']
    const started = spawn('python3', [stand, folder.path, ...program], {
      env: { ...process.env, CONFIG_PATH },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    systemd = started
    let output = ''
    started.stdout.on('data', (data) => {
      output += data
    })
    const starts = () => output.match(/^READY=1$/gm)?.length ?? 0
    await expect.poll(starts, SLOW).toBe(1)
    const url = `http://127.0.0.1:${/^port (\d+)$/m.exec(output)?.[1]}`
    return { url, starts, restart: () => started.stdin.write('restart\n') }
  }

  test.each([1, 2])(
    'is restarted under load, with workers: %i, and no connection is refused',
    async (workers) => {
      const { key } = await clientOf({ db: () => storage.db, url: () => '' })
      const { url, starts, restart } = await startService(workers)
      const traffic = startTraffic({ url: () => url, key, perSecond: 20 })
      await expect.poll(traffic.underWay, SLOW).toBeGreaterThan(5)
      restart()
      await expect.poll(starts, SLOW).toBe(2)
      await expect.poll(traffic.answered, SLOW).toBeGreaterThan(20)
      expect(await traffic.stop()).toMatchObject({ refused: [], cut: 0, hung: 0 })
    },
    180_000,
  )
})
