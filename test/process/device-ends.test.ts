/** A device that is ended in one process, or on the command line, is ended in all of them. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { answerOf } from '../support/browser.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type People, type Person, startPeople } from '../support/people.ts'
import { freePort } from '../support/ports.ts'
import { countOf } from '../support/restarts.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const run = promisify(execFile)
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const SLOW = { timeout: 60_000 }

let upstream: FakeUpstream
let people: People
let gateway: TestGateway
let boss: Person
beforeAll(async () => {
  const port = await freePort()
  upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  people = await startPeople()
  gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    auth: { send_code_url: people.url },
    server: { port, host: '127.0.0.1', drain_delay: 0, workers: 2, public_url: `http://127.0.0.1:${port}` },
  })
  await vi.waitFor(() => expect(countOf(gateway, 'cluster.started')).toBe(1), SLOW)
  boss = await people.signIn(gateway, 'boss@example.com', 'admin')
}, 120_000)
afterAll(async () => {
  await gateway?.stop()
  await people?.stop()
  await upstream?.stop()
})

const form = async (path: string, fields: Record<string, string>) =>
  answerOf(await fetch(`${gateway.url}${path}`, { method: 'POST', body: new URLSearchParams(fields) }))
async function deviceOf(person: Person) {
  const { user_code, device_code } = (await form('/oauth/device_authorization', {})).body
  await person.post('/api/device/decide', { user_code, decision: 'approved' })
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const tokens = (await form('/oauth/token', { grant_type, device_code })).body
  const { devices } = (await person.get('/api/devices')).body
  return { ...tokens, id: devices.at(-1).id }
}
/** Of twenty calls, each on a connection of its own, so that both workers get some. */
async function statuses(token: string): Promise<number[]> {
  const call = async () => {
    const headers = { connection: 'close', 'x-api-key': '', authorization: `Bearer ${token}` }
    const answer = await gateway.send(ASK, { headers })
    await answer.text()
    return answer.status
  }
  return [...new Set(await Promise.all(Array.from({ length: 20 }, call)))]
}
const cli = async (...args: string[]) => {
  const env = { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath }
  await run(process.execPath, ['adapters/cli/start.mjs', ...args], {
    env,
    cwd: join(import.meta.dirname, '../..'),
  })
}

test.each([
  ['the person', (person: Person, id: number) => person.delete(`/api/devices/${id}`)],
  [
    'the person, who signs out everywhere',
    (person: Person) => person.post('/api/auth/logout-everywhere', {}),
  ],
  ['an administrator', (_: Person, id: number) => boss.delete(`/admin/api/devices/${id}`)],
  ['the command line', (_: Person, id: number) => cli('device', 'end', String(id))],
])(
  'one that %s signs out is refused by every worker, and is not refreshed',
  async (who, end) => {
    const person = await people.signIn(gateway, `${who.length}@example.com`)
    const { id, access_token, refresh_token } = await deviceOf(person)
    await expect.poll(() => statuses(access_token), SLOW).toEqual([200])
    await end(person, id)
    await expect.poll(() => statuses(access_token), SLOW).toEqual([401])
    const refreshed = await form('/oauth/token', { grant_type: 'refresh_token', refresh_token })
    expect(refreshed).toMatchObject({ body: { error: 'invalid_grant' } })
  },
  120_000,
)
