/** Backends that are added by command line and by interface: all workers follow, and a kill loses none. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { storedBackends } from '../../core/db/schema.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type People, startPeople } from '../support/people.ts'
import { freePort } from '../support/ports.ts'
import { type FakeUpstream, startUpstream } from '../support/upstream.ts'

const PATH = '/admin/api/backends'
const SLOW = { timeout: 30_000 }
const HELLO = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

describe('backends that are added', () => {
  let people: People
  let file: FakeUpstream
  let added: FakeUpstream
  let gateway: TestGateway
  beforeAll(async () => {
    people = await startPeople()
    file = await startUpstream()
    added = await startUpstream()
    gateway = await startGateway({
      auth: { send_code_url: people.url },
      secrets: { key: 'f3b1c2d4e5a60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90' },
      backends: [{ name: 'file', url: file.url, weight: 0.000_001 }],
      server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, workers: 2 },
    })
  }, 120_000)
  afterAll(async () => {
    await gateway?.stop()
    await Promise.all([people, file, added].map((one) => one?.stop()))
  })
  const settings = (more: object = {}) => ({
    name: 'added',
    url: added.url,
    api_key: 'key-of-added-4711',
    weight: 1000,
    ...more,
  })
  /** How many of forty calls went there, each on a connection of its own, so that both workers get some. */
  const served = async (by: FakeUpstream) => {
    const before = by.requests.length
    const headers = { connection: 'close' }
    await Promise.all(Array.from({ length: 40 }, async () => (await gateway.send(HELLO, { headers })).text()))
    return by.requests.length - before
  }
  const cli = (words: string[], input = '') =>
    new Promise<string>((resolve) => {
      const options = {
        env: { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath },
        cwd: join(import.meta.dirname, '../..'),
      }
      const args = ['adapters/cli/start.mjs', 'backend', ...words]
      const child = execFile(process.execPath, args, options, (_failed, out, problem) =>
        resolve(out + problem),
      )
      child.stdin?.end(input)
    })

  test('are used by all workers, and by none once they are removed', async () => {
    const boss = await people.signIn(gateway, 'chief', 'admin')
    expect((await boss.post(PATH, settings())).status).toBe(201)
    await expect.poll(() => served(added), SLOW).toBe(40)
    expect((await boss.delete(`${PATH}/added`)).status).toBe(200)
    await expect.poll(() => served(file), SLOW).toBe(40)
  }, 100_000)

  test('are added, listed, tried and removed on the command line', async () => {
    expect(await cli(['add'], stringify(settings({ colour: 'red' })))).toContain('colour')
    expect(await cli(['add'], 'nothing of use')).toContain('"name: value" lines')
    expect(await cli(['add'], stringify(settings({ url: 'https://[64:ff9b::a9fe:a9fe]' })))).toContain(
      'metadata',
    )
    expect(await cli(['add'], stringify(settings()))).toContain('The backend added is stored.')
    await expect.poll(() => served(added), SLOW).toBe(40)
    const list = await cli(['list'])
    expect(list).toMatch(/added\s+api\s+anthropic/)
    expect(list).toMatch(/file\s+file\s+anthropic/)
    expect(await cli(['test', 'added'])).toMatch(
      /credentials\s+passed[\s\S]*models\s+passed[\s\S]*call\s+passed/,
    )
    expect(await cli(['test', 'nobody'])).toContain('There is no backend nobody')
    expect(await cli(['remove', 'added'])).toContain('is removed')
    expect(list + gateway.output()).not.toContain('key-of-added')
  }, 100_000)

  test('that were stored right before kill -9 of the primary are in force after the start that follows at once', async () => {
    const boss = await people.signIn(gateway, 'chief', 'admin')
    const answered = boss.post(PATH, settings()).catch(() => undefined)
    const stored = () => gateway.db.$count(storedBackends)
    await expect.poll(stored, { ...SLOW, interval: 1 }).toBe(1)
    await gateway.end('SIGKILL')
    await gateway.restart()
    await answered
    expect(await served(added)).toBe(40)
    expect(added.requests.at(-1)?.headers['x-api-key']).toBe('key-of-added-4711')
  }, 100_000)
})
