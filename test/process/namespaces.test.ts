/** Two containers on one volume, as in a rolling update: both processes have the same process id. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { openFile, type Storage } from '../../adapters/drivers/storage/libsql.ts'
import { migrate } from '../../core/db/migrate.ts'
import { usageLogs } from '../../core/db/schema.ts'
import { type Client, clientOf, complete } from '../support/runtime.ts'
import { temporaryFolder } from '../support/stores.ts'
import { type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

/** Node as process 1 of a namespace, which ends when its parent is killed. */
const UNSHARE = ['--pid', '--fork', '--kill-child', process.execPath]
const CAN_UNSHARE = spawnSync('unshare', [...UNSHARE, '--version']).status === 0
const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}

describe.skipIf(!CAN_UNSHARE)('two processes with the same id on one folder', () => {
  const folder = temporaryFolder()
  const running: ChildProcess[] = []
  let upstream: FakeUpstream
  let storage: Storage
  let key: string
  beforeAll(async () => {
    upstream = await startUpstream()
    const path = join(folder.path, 'gateway.db')
    storage = await openFile(path)
    await migrate(storage.db)
    const settings = {
      server: { port: 0, host: '127.0.0.1', drain_delay: 0 },
      database: { path },
      backends: [{ name: 'a', url: upstream.url }],
      limits: { store: 'database' },
      health: { store: 'database', startup_check: 'off' },
    }
    writeFileSync(join(folder.path, 'config.yaml'), stringify(complete(settings)))
    key = (await clientOf({ db: () => storage.db, url: () => '' })).key
  })
  afterEach(async () => {
    for (const one of running.splice(0)) await kill(one)
  })
  afterAll(async () => {
    await storage.close()
    await upstream.stop()
    folder.remove()
  })

  async function start(): Promise<{ send: Client['send']; process: ChildProcess }> {
    const env = { ...process.env, CONFIG_PATH: join(folder.path, 'config.yaml') }
    const child = spawn('unshare', [...UNSHARE, 'adapters/node/index.ts'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.push(child)
    let output = ''
    let url = ''
    for await (const chunk of child.stdout) {
      output += chunk
      url = /"server\.listening","url":"([^"]+)"/.exec(output)?.[1] ?? ''
      if (url) break
    }
    const client = await clientOf({ db: () => storage.db, url: () => url })
    return { send: (body, init) => client.send(body, { key, ...init }), process: child }
  }
  async function kill(child: ChildProcess) {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  const rows = () => storage.db.select().from(usageLogs)

  test('a call of the old one goes on while the new one starts, and is in the log as it ended', async () => {
    const old = await start()
    const more = Promise.withResolvers<void>()
    const frames = messageStream()
    upstream.answer({ chunks: [...frames.slice(0, 2), more.promise, ...frames.slice(2)] })
    const answer = await old.send(ASK)
    const id = answer.headers.get('request-id')
    await start()
    // The new one looks for journals of dead processes before it listens.
    expect(await rows()).toEqual([])
    more.resolve()
    expect(await answer.text()).toBe(frames.join(''))
    await expect
      .poll(rows)
      .toMatchObject([{ requestId: id, outcome: 'ok', outputTokens: 20, estimated: false }])
  })

  test('a call of one that is killed is in the log soon, written by the one that lives', async () => {
    const [dying] = [await start(), await start()]
    upstream.answer({ chunks: messageStream().slice(0, 2), end: 'hang' })
    const answer = await dying.send(ASK)
    const id = answer.headers.get('request-id')
    await kill(dying.process)
    await answer.text().catch(() => {})
    const ofCall = async () => (await rows()).filter(({ requestId }) => requestId === id)
    await expect.poll(ofCall, { timeout: 60_000, interval: 500 }).toMatchObject([{ outcome: 'interrupted' }])
  }, 120_000)
})
