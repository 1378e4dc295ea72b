/** Skills of several people in two accounts. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type SimulatedClaude, startSimulatedClaude } from '../../adapters/demo/simulated-claude/index.ts'
import { upstreamObjects } from '../../core/db/objects.ts'
import { type App, startApp } from '../support/app.ts'
import { startUpstream } from '../support/upstream.ts'

let accounts: SimulatedClaude[]
let app: App
let ann: string
let ben: string

beforeEach(async () => {
  accounts = await Promise.all(['a', 'b'].map(() => startSimulatedClaude({ pace: 0 })))
  app = await startApp({
    backends: accounts.map(({ url }, i) => ({ name: `account-${i}`, url, api_key: 'sim-account' })),
  })
  const keyOf = async (itcode: string) =>
    (await (await app.signIn(itcode)).post('/api/keys', { name: 'x' })).body.key.key
  ann = await keyOf('ann')
  ben = await keyOf('ben')
})
afterEach(async () => {
  await app.close()
  for (const account of accounts) await account.stop()
})

const ask = (key: string, method: string, path: string, body?: FormData) =>
  app.request(path, { method, ...(body ? { body } : {}), headers: { 'x-api-key': key } })
const form = () => {
  const body = new FormData()
  body.set('display_title', 'Notes')
  body.set('files[]', new Blob(['---\nname: notes\n---']), 'notes/SKILL.md')
  return body
}
const idsOf = async (key: string, query = '') =>
  (await ask(key, 'GET', `/v1/skills${query}`)).body.data.map(({ id }: { id: string }) => id)
const ANTHROPICS = ['pptx', 'xlsx', 'docx', 'pdf']

describe('a skill', () => {
  test('is made, has versions, and is deleted after them', async () => {
    const made = await ask(ann, 'POST', '/v1/skills', form())
    expect([made.status, made.body.display_title]).toEqual([200, 'Notes'])
    const path = `/v1/skills/${made.body.id}`
    const second = await ask(ann, 'POST', `${path}/versions`, form())
    const versions = await ask(ann, 'GET', `${path}/versions`)
    expect(versions.body.data.map(({ version }: { version: string }) => version)).toEqual([
      second.body.version,
      made.body.latest_version,
    ])
    expect((await ask(ann, 'GET', `${path}/versions/${second.body.version}`)).body.skill_id).toBe(
      made.body.id,
    )
    expect((await ask(ann, 'DELETE', path)).status).toBe(400)
    expect(await idsOf(ann, '?source=custom')).toEqual([made.body.id])
    for (const { version } of versions.body.data) {
      expect((await ask(ann, 'DELETE', `${path}/versions/${version}`)).status).toBe(200)
    }
    expect((await ask(ann, 'DELETE', path)).status).toBe(200)
    expect(await idsOf(ann, '?source=custom')).toEqual([])
  })

  test("of somebody else's is unknown, and nothing of it can be changed", async () => {
    const { id, latest_version } = (await ask(ann, 'POST', '/v1/skills', form())).body
    const ways: [string, string, FormData?][] = [
      ['GET', `/v1/skills/${id}`],
      ['DELETE', `/v1/skills/${id}`],
      ['GET', `/v1/skills/${id}/versions`],
      ['POST', `/v1/skills/${id}/versions`, form()],
      ['GET', `/v1/skills/${id}/versions/${latest_version}`],
      ['DELETE', `/v1/skills/${id}/versions/${latest_version}`],
    ]
    for (const way of ways)
      expect([...way.slice(0, 2), (await ask(ben, ...way)).status]).toEqual([...way.slice(0, 2), 404])
    expect(await idsOf(ben, '?source=custom')).toEqual([])
    expect((await ask(ann, 'GET', `/v1/skills/${id}/versions`)).body.data).toHaveLength(1)
  })

  test('of Anthropic is everybody’s to read and nobody’s to change', async () => {
    const own = (await ask(ann, 'POST', '/v1/skills', form())).body.id
    expect(await idsOf(ann)).toEqual([own, ...ANTHROPICS])
    expect(await idsOf(ben)).toEqual(ANTHROPICS)
    expect(await idsOf(ann, '?source=anthropic')).toEqual(ANTHROPICS)
    expect((await ask(ben, 'GET', '/v1/skills/pptx')).body.source).toBe('anthropic')
    expect((await ask(ben, 'DELETE', '/v1/skills/pptx')).status).toBe(404)
    expect((await ask(ben, 'POST', '/v1/skills/pptx/versions', form())).status).toBe(404)
  })
})

test('the list of skills has Anthropic’s while the account of the own ones is out', async () => {
  await ask(ann, 'POST', '/v1/skills', form())
  const [own] = await app.db.select().from(upstreamObjects)
  await accounts[own?.backend === 'account-0' ? 0 : 1]?.stop()
  const listed = await ask(ann, 'GET', '/v1/skills')
  expect(listed.body.data.map(({ id }: { id: string }) => id)).toEqual(ANTHROPICS)
  expect(listed.headers.get('x-gateway-warning')).toContain('1 of the accounts')
})

test('pages of versions have the marks of their account', async () => {
  const { id } = (await ask(ann, 'POST', '/v1/skills', form())).body
  expect((await ask(ann, 'GET', `/v1/skills/${id}/versions?page=page_MjAyNS0x`)).status).toBe(200)
})

test.each([
  '/v1/skills/x%2F..%2F..%2Ffiles%2Ffile_1%2Fcontent',
  '/v1/skills/x%252F..%252F..%252Ffiles%252Ffile_1',
  '/v1/skills/pptx/versions/..%2F..%2F..%2Ffiles%2Ffile_1',
  '/v1/skills/pptx/versions/1%5C..%5C..%5Cskill_1',
])('an address that leads elsewhere once it is decoded reaches no account: %s', async (path) => {
  await app.close()
  const upstream = await startUpstream()
  app = await startApp({ backends: [{ name: 'a', url: upstream.url, api_key: 'key' }] })
  ann = (await (await app.signIn('ann')).post('/api/keys', { name: 'x' })).body.key.key
  expect((await ask(ann, 'GET', path)).status).toBe(404)
  expect(upstream.requests.map(({ url }) => url)).toEqual([])
  await upstream.stop()
})
