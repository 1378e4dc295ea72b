/** What a directory ends in one process ends in all; and the command line sees people off. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { users } from '../../core/db/schema.ts'
import { type Directory, directoryOf, oktaUser } from '../support/directory.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { countOf } from '../support/restarts.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const run = promisify(execFile)
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }
const SLOW = { timeout: 60_000 }
const MINUTES = 240_000

let upstream: FakeUpstream
let gateway: TestGateway
let okta: Directory
beforeAll(async () => {
  upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, workers: 2 },
  })
  await vi.waitFor(() => expect(countOf(gateway, 'cluster.started')).toBe(1), SLOW)
  okta = await directoryOf(gateway.db, (path, init) => fetch(`${gateway.url}${path}`, init))
}, 120_000)
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

/** Twenty calls, each on a connection of its own, so that both workers get some. */
async function statuses(key: string): Promise<number[]> {
  const call = async () => {
    const answer = await gateway.send(ASK, { key, headers: { connection: 'close' } })
    await answer.text()
    return answer.status
  }
  return [...new Set(await Promise.all(Array.from({ length: 20 }, call)))]
}

test(
  'whom a directory deactivates or deletes is refused by every worker, and comes back in all',
  async () => {
    const { secret, userId } = await gateway.newKey({ itcode: 'ann@corp.test' })
    const { id } = (await okta.post('/Users', oktaUser('ann@corp.test'))).body
    expect(id).toBe(String(userId))
    await expect.poll(() => statuses(secret), SLOW).toEqual([200])
    await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: false } })
    await expect.poll(() => statuses(secret), SLOW).toEqual([403])
    await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: true } })
    await expect.poll(() => statuses(secret), SLOW).toEqual([200])
    await okta.delete(`/Users/${id}`)
    await expect.poll(() => statuses(secret), SLOW).toEqual([401])
  },
  MINUTES,
)

test(
  'people are deleted, revived, released and erased on the command line',
  async () => {
    const cli = async (...args: string[]) => {
      const env = { PATH: process.env.PATH, CONFIG_PATH: gateway.configPath }
      const options = { env, cwd: join(import.meta.dirname, '../..') }
      const { stdout } = await run(process.execPath, ['adapters/cli/start.mjs', ...args], options)
      return stdout.trim()
    }
    const { secret, userId } = await gateway.newKey({ itcode: 'ben' })
    await expect.poll(() => statuses(secret), SLOW).toEqual([200])
    expect(await cli('user', 'scim', 'ben', '--external-id', 'o-1')).toBe(
      'The directory keeps ben from now on.',
    )
    expect((await okta.find('Users', 'externalId eq "o-1"')).ids).toEqual([String(userId)])
    expect(await cli('user', 'delete', 'ben')).toBe(`Deleted ben (id ${userId}).`)
    await expect.poll(() => statuses(secret), SLOW).toEqual([401])
    expect(await cli('user', 'list')).not.toContain('ben')
    expect(await cli('user', 'revive', 'ben')).toBe('ben is back.')
    await cli('user', 'delete', 'ben')
    expect(await cli('user', 'release', 'ben')).toContain(`ben#${userId}`)
    expect(await cli('user', 'create', 'ben')).toContain('Created user ben')
    expect(await cli('user', 'erase', `ben#${userId}`)).toContain(`#${userId} everywhere`)
    const [erased] = await gateway.db.select().from(users).where(eq(users.id, userId))
    expect(erased).toMatchObject({ itcode: `#${userId}`, name: `#${userId}` })
    expect(await cli('group', 'create', 'Team')).toContain('Made group Team')
    expect(await cli('group', 'scim', 'Team')).toBe('The directory keeps the group Team from now on.')
    expect((await okta.find('Groups', 'displayName eq "Team"')).total).toBe(1)
  },
  MINUTES,
)
