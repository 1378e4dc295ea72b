/** A directory's first sync: 3,000 people and 300 groups, while calls go on. Figures are printed. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scimUsers } from '../../core/db/schema.ts'
import { type Directory, directoryOf, entraUser, pushedGroup } from '../support/directory.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, messageJson, startUpstream } from '../support/upstream.ts'

const PEOPLE = 3_000
const GROUPS = 300
/** Requests of the directory at the same time. */
const AT_ONCE = 4
const ALLOWED_MS = 300_000
const ASK = { model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content: 'hi' }] }

let upstream: FakeUpstream
let gateway: TestGateway
let entra: Directory
beforeAll(async () => {
  upstream = await startUpstream()
  upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
  gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
  entra = await directoryOf(gateway.db, (path, init) => fetch(`${gateway.url}${path}`, init))
}, 60_000)
afterAll(async () => {
  await gateway.stop()
  await upstream.stop()
})

async function each<T>(all: readonly T[], work: (one: T) => Promise<void>) {
  const queue = [...all]
  const worker = async () => {
    for (let one = queue.shift(); one !== undefined; one = queue.shift()) await work(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

/** Four callers, one call after the other, until `until` is over: how long calls took, in ms. */
async function callDuring(until: Promise<unknown>) {
  const keys = await Promise.all(Array.from({ length: 4 }, async () => (await gateway.newKey()).secret))
  const took: number[] = []
  let over = false
  const ended = until.finally(() => {
    over = true
  })
  const caller = async (key: string) => {
    while (!over) {
      const from = performance.now()
      const answer = await gateway.send(ASK, { key })
      await answer.text()
      if (answer.status === 401) continue // the key is not known everywhere yet
      expect(answer.status).toBe(200)
      took.push(performance.now() - from)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await Promise.all([ended, ...keys.map(caller)])
  const sorted = took.toSorted((a, b) => a - b)
  const at = (share: number) => Number(sorted[Math.floor(sorted.length * share)]?.toFixed(1))
  return { calls: sorted.length, p50: at(0.5), p99: at(0.99), most: at(0.9999) }
}

async function sync() {
  const ids: string[] = []
  const from = performance.now()
  await each(
    Array.from({ length: PEOPLE }, (_, i) => `person-${i}@corp.test`),
    async (userName) => {
      expect((await entra.find('Users', `userName eq "${userName}"`)).total).toBe(0)
      const made = await entra.post('/Users', entraUser(userName))
      expect(made.status).toBe(201)
      ids.push(made.body.id)
    },
  )
  const people = performance.now() - from
  await each(
    Array.from({ length: GROUPS }, (_, i) => i),
    async (i) => {
      const name = encodeURIComponent(`displayName eq "Group ${i}"`)
      await entra.get(`/Groups?excludedAttributes=members&filter=${name}`)
      const { body } = await entra.post('/Groups', pushedGroup(`Group ${i}`))
      // One has everybody; the others have thirty each, by three requests as Entra sends them.
      const members = i === 0 ? ids : ids.filter((_, at) => at % (PEOPLE / 30) === i % (PEOPLE / 30))
      const size = Math.ceil(members.length / 3)
      for (let at = 0; at < members.length; at += size) {
        const value = members.slice(at, at + size).map((id) => ({ $ref: null, value: id }))
        expect((await entra.patch(`/Groups/${body.id}`, { op: 'Add', path: 'members', value })).status).toBe(
          204,
        )
      }
    },
  )
  return { peopleMs: Math.round(people), groupsMs: Math.round(performance.now() - from - people) }
}

test(
  'a first sync of 3,000 people and 300 groups takes less than five minutes, and calls go on',
  async () => {
    const alone = await callDuring(new Promise((resolve) => setTimeout(resolve, 15_000)))
    const syncing = sync()
    const beside = await callDuring(syncing)
    const took = await syncing
    console.log(JSON.stringify({ alone, beside, ...took }))
    expect(await gateway.db.$count(scimUsers)).toBe(PEOPLE)
    expect((await entra.get('/Groups?count=1')).body).toMatchObject({ totalResults: GROUPS })
    expect(took.peopleMs + took.groupsMs).toBeLessThan(ALLOWED_MS)
  },
  2 * ALLOWED_MS,
)
