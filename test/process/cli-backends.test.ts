/** Backends on the command line, without a server; a running one takes what it changes. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

/** Each command is a process of its own. */
const SLOW_MS = 240_000
const ASK = { model: 'claude-haiku-4-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

let upstream: FakeUpstream
let gateway: TestGateway
beforeAll(async () => {
  upstream = await startUpstream()
  upstream.answer({ chunks: [messageJson()] })
  gateway = await startGateway({
    secrets: { key: 'f3Q0mZ7xV1cN8bL5kT2wR9dJ4hS6gP0aYuE' },
    backends: [{ name: 'file', url: 'http://127.0.0.1:9', api_key: 'secret-of-file' }],
  })
})
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

/** What it prints, to either output, with this on its standard input. */
async function cli(args: readonly string[], input = '', noun = 'backend') {
  const env = { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath }
  const cwd = join(import.meta.dirname, '../..')
  const child = spawn(process.execPath, ['adapters/cli/start.mjs', noun, ...args], { env, cwd })
  child.stdin.end(input)
  const said = await Promise.all([text(child.stdout), text(child.stderr)])
  return said.join('').trim()
}

test(
  'a stored backend is added, changed, tried and removed, and a running gateway follows',
  async () => {
    const settings = `name: added\nurl: ${upstream.url}\napi_key: secret-of-added\nmodels: [claude-haiku-4-5]\n`
    expect(await cli(['add'], settings)).toBe('The backend added is stored.')
    expect(await cli(['change', 'added'], 'url: https://elsewhere.example')).toContain(
      'api_key: it is expected',
    )
    expect(await cli(['change', 'file'], 'weight: 2')).toContain('Change it there.')
    expect(await cli(['change', 'added'], 'api_key: secret-of-later\nmodels: null\nweight: 7')).toBe(
      'The backend added is changed.',
    )
    expect(JSON.parse(await cli(['list', '--json']))).toMatchObject([
      { name: 'file', source: 'file' },
      { name: 'added', source: 'api', weight: 7, models: null },
    ])
    const { secret } = await gateway.newKey({ itcode: 'ann' })
    const served = async () => (await gateway.send(ASK, { key: secret })).status
    await expect.poll(served, { timeout: 20_000 }).toBe(200)
    expect(upstream.requests.at(-1)?.headers['x-api-key']).toBe('secret-of-later')
    expect(await cli(['adopt', 'file_1', 'added', 'ann'], '', 'objects')).toBe(
      'The file file_1 in added belongs to ann.',
    )
    upstream.models([ASK.model])
    expect(await cli(['test', 'added'])).toContain('was served')
    const logs = await gateway.db.query.usageLogs.findMany()
    expect(logs.filter(({ client }) => client === 'gateway')).toMatchObject([
      { userId: -1, backend: 'added', model: ASK.model, outputTokens: 20, statusCode: 200 },
    ])
    expect(await cli(['remove', 'added'])).toBe('The backend added is removed.')
  },
  SLOW_MS,
)
