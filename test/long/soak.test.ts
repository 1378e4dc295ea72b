/** Twenty minutes (or SOAK_MINUTES) of everything at once: no call is lost or wrong, and memory does not grow. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { usageLogs } from '../../core/db/schema.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { median, residentBytes } from '../bench/measure.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type FakeUpstream, messageJson, messageStream, startUpstream } from '../support/upstream.ts'

const MINUTES = Number(process.env.SOAK_MINUTES ?? 20)
const PEOPLE = 8
const LANES = 16
const MB = 2 ** 20
const OPENAI = '/v1/chat/completions'

type Kind = 'whole' | 'stream' | 'aborted' | 'large' | 'openai'
/** How often each is made, in a hundred. */
const SHARES: [Kind, number][] = [
  ['whole', 40],
  ['stream', 30],
  ['aborted', 15],
  ['openai', 10],
  ['large', 5],
]

let upstream: FakeUpstream
let gateway: TestGateway
beforeAll(async () => {
  upstream = await startUpstream()
  const frames = messageStream({ text: Array.from({ length: 20 }, () => 'word') })
  upstream.answer(({ body }) =>
    body.includes('"stream":true')
      ? { chunks: frames.flatMap((frame) => [frame, 2]) }
      : { headers: { 'content-type': 'application/json' }, chunks: [messageJson()] },
  )
  gateway = await startGateway({ backends: [{ name: 'a', url: upstream.url }] })
})
afterAll(async () => {
  await gateway?.stop()
  await upstream?.stop()
})

test(`${MINUTES} minutes of calls, of which some are aborted and some are large`, async () => {
  const keys = await Promise.all(Array.from({ length: PEOPLE }, () => gateway.newKey()))
  for (const { secret: key } of keys) {
    await expect.poll(async () => (await gateway.send({}, { key, path: COUNT })).status).toBe(400)
  }
  const end = performance.now() + MINUTES * 60_000
  const told = { begun: new Set<string>(), finished: new Set<string>(), refused: [] as string[] }
  const lane = async (i: number) => {
    const key = keys[i % PEOPLE]?.secret ?? ''
    while (performance.now() < end) await callOnce(key, told)
  }
  const memory: number[] = []
  const watch = async () => {
    while (performance.now() < end) {
      await sleep(2_000)
      // What the upstream keeps of calls is not the gateway's.
      upstream.requests.length = 0
      memory.push(residentBytes(gateway.process.pid ?? 0) / MB)
    }
  }
  await Promise.all([watch(), ...Array.from({ length: LANES }, (_, i) => lane(i))])

  expect(told.refused).toEqual([])
  await expect
    .poll(() => gateway.db.$count(usageLogs), { timeout: 30_000 })
    .toBeGreaterThanOrEqual(told.begun.size)
  const rows = await gateway.db.select().from(usageLogs)
  const byId = new Map(rows.map((row) => [row.requestId, row]))
  expect(byId.size).toBe(rows.length)
  expect([...told.begun].filter((id) => !byId.has(id))).toEqual([])
  const wrong = [...told.finished].filter((id) => {
    const row = byId.get(id)
    return row?.outcome !== 'ok' || row.estimated || row.inputTokens !== 10 || row.outputTokens !== 20
  })
  expect(wrong).toEqual([])
  expect(await repairSums(gateway.db, 0)).toBe(false)

  const quarter = Math.floor(memory.length / 4)
  const third = median(memory.slice(2 * quarter, 3 * quarter))
  const last = median(memory.slice(3 * quarter))
  console.log({ calls: rows.length, finished: told.finished.size, third, last, most: Math.max(...memory) })
  expect(last).toBeLessThan(third * 1.1)
})

const COUNT = '/v1/messages/count_tokens'

async function callOnce(key: string, told: { begun: Set<string>; finished: Set<string>; refused: string[] }) {
  const kind = kindBy(Math.random() * 100)
  const stream = kind === 'stream' || kind === 'aborted'
  const content = kind === 'large' ? 'x'.repeat((1 + Math.random() * 8) * MB) : crypto.randomUUID()
  const body = { model: 'claude-opus-5-5', max_tokens: 50, stream, messages: [{ role: 'user', content }] }
  const leaving = new AbortController()
  const timer = kind === 'aborted' ? setTimeout(() => leaving.abort(), Math.random() * 60) : undefined
  try {
    const path = kind === 'openai' ? OPENAI : '/v1/messages'
    const answer = await gateway.send(body, { key, path, signal: leaving.signal })
    if (answer.status !== 200) return void told.refused.push(`${answer.status} ${await answer.text()}`)
    const id = answer.headers.get('request-id') ?? ''
    told.begun.add(id)
    const text = await answer.text()
    if (!stream || text.includes('event: message_stop')) told.finished.add(id)
  } catch (cause) {
    if (!leaving.signal.aborted) told.refused.push(String(cause))
  } finally {
    clearTimeout(timer)
  }
}

function kindBy(percent: number): Kind {
  let upTo = 0
  for (const [kind, share] of SHARES) {
    upTo += share
    if (percent < upTo) return kind
  }
  return 'whole'
}
