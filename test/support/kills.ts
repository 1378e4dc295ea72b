/** Kills a gateway under load again and again, and compares its books with what the upstream was asked. */
import { eq, sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { usageLogs, users } from '../../core/db/schema.ts'
import { HOLD_EXPIRY_MS } from '../../core/limits/decide.ts'
import { repairSums } from '../../core/reports/repair.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { freePort } from './ports.ts'
import { startRedis } from './redis.ts'
import { countOf, workersOf } from './restarts.ts'
import { limitTo } from './spend.ts'
import { type FakeUpstream, messageStream, startUpstream } from './upstream.ts'

const ASK = {
  model: 'claude-opus-5-5',
  max_tokens: 50,
  stream: true,
  messages: [{ role: 'user', content: 'hi' }],
}
const CALLERS = 12
const ANSWERS_A_ROUND = 10
/** Every start of a process takes seconds on a machine that is busy. */
const START = { timeout: 60_000 }
const TAKEN_OVER = { timeout: 2 * HOLD_EXPIRY_MS, interval: 1_000 }

export type Store = 'local' | 'database' | 'redis'

interface Told {
  /** Calls that the client tried to make. */
  sent: number
  /** Ids of calls whose answer began. */
  begun: string[]
  /** Ids of calls whose final usage came. */
  finished: string[]
}

/** What was done, once the books are right: no call is lost or doubled, and limits are what the log says. */
export async function playKills(store: Store, rounds: number): Promise<Record<string, number>> {
  return withGateway(store, {}, (gateway, upstream) => play(gateway, upstream, rounds, killProcess))
}

/** The same with two workers, of which one is killed in each round; the other one goes on. */
export async function playWorkerKills(store: Store, rounds: number): Promise<Record<string, number>> {
  const server = { port: await freePort(), host: '127.0.0.1', drain_delay: 0, workers: 2 }
  const health = { store: store === 'local' ? 'memory' : store }
  return withGateway(store, { server, health }, async (gateway, upstream) => {
    await expect.poll(() => workersOf(gateway).length, START).toBe(2)
    return play(gateway, upstream, rounds, killWorker)
  })
}

/** Kills something of the gateway; resolves when it is gone, with what makes the gateway whole again. */
type Kill = (gateway: TestGateway) => Promise<() => Promise<void>>

const killProcess: Kill = async (gateway) => {
  await gateway.end('SIGKILL')
  return () => gateway.restart()
}

const killWorker: Kill = async (gateway) => {
  const workers = workersOf(gateway)
  const begun = countOf(gateway, 'server.listening')
  const victim = workers[Math.floor(Math.random() * workers.length)] ?? 0
  process.kill(victim, 'SIGKILL')
  await expect.poll(() => workersOf(gateway)).not.toContain(victim)
  return () => expect.poll(() => countOf(gateway, 'server.listening'), START).toBeGreaterThan(begun)
}

async function withGateway<T>(
  store: Store,
  settings: object,
  work: (gateway: TestGateway, upstream: FakeUpstream) => Promise<T>,
): Promise<T> {
  const upstream = await startUpstream()
  const redis = store === 'redis' ? await startRedis() : undefined
  const gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    limits: { store },
    ...settings,
    ...(redis ? { redis: { url: redis.url } } : {}),
  })
  try {
    return await work(gateway, upstream)
  } finally {
    await gateway.stop()
    await upstream.stop()
    await redis?.stop()
  }
}

async function play(gateway: TestGateway, upstream: FakeUpstream, rounds: number, kill: Kill) {
  const frames = messageStream({ text: ['one', 'two'] })
  upstream.answer({ chunks: frames.flatMap((frame) => [frame, 1]) })
  const { secret, userId } = await gateway.newKey({ budgetMicros: 1e12 })
  await expect.poll(async () => (await gateway.send(ASK, { key: secret, path: COUNT })).status).toBe(200)
  const told: Told = { sent: 0, begun: [], finished: [] }
  for (let round = 0; round < rounds; round++) {
    const mend = await callUntilKilled(gateway, secret, told, kill)
    await mend()
  }
  const asked = upstream.requests.filter(({ url }) => url === '/v1/messages').length
  await expectBooks(gateway, told, asked)
  await expectLimits(gateway, { secret, userId })
  return { rounds, asked, sent: told.sent, begun: told.begun.length, finished: told.finished.length }
}

const COUNT = '/v1/messages/count_tokens'

/** Calls without end, until something is killed in the midst of them. */
async function callUntilKilled(gateway: TestGateway, key: string, told: Told, kill: Kill) {
  let answers = 0
  let killed: ReturnType<Kill> | undefined
  let over = false
  const killSoon = async () => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 100))
    return kill(gateway).finally(() => {
      over = true
    })
  }
  const caller = async () => {
    while (!over) {
      let id: string | undefined
      let text = ''
      try {
        told.sent += 1
        const answer = await gateway.send(ASK, { key })
        id = answer.headers.get('request-id') ?? ''
        told.begun.push(id)
        for await (const chunk of answer.body ?? []) text += Buffer.from(chunk)
      } catch {
        // Killed in the middle: what came before still counts.
      }
      if (!id || !text.includes('event: message_delta')) continue
      told.finished.push(id)
      answers += 1
      if (answers >= ANSWERS_A_ROUND) killed ??= killSoon()
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  if (!killed) throw new Error('nothing was killed')
  return killed
}

async function expectBooks({ db }: TestGateway, told: Told, asked: number) {
  // Those that go on take the calls of a killed one over from time to time.
  await expect.poll(() => db.$count(usageLogs), TAKEN_OVER).toBeGreaterThanOrEqual(asked)
  const rows = await db.select().from(usageLogs)
  const byId = Map.groupBy(rows, ({ requestId }) => requestId)
  expect([...byId.values()].filter(({ length }) => length > 1)).toEqual([])
  expect(told.begun.filter((id) => !byId.has(id))).toEqual([])
  // Whatever the upstream was asked is in the log, and nothing that nobody sent.
  expect(rows.length).toBeLessThanOrEqual(told.sent)
  const finished = told.finished.flatMap((id) => byId.get(id) ?? [])
  expect(finished).toHaveLength(told.finished.length)
  expect(finished.filter((row) => row.outputTokens !== 20 || row.estimated)).toEqual([])
  expect(await repairSums(db, 0)).toBe(false)
  expect(await db.get(sql`pragma integrity_check`)).toEqual({ integrity_check: 'ok' })
}

/** No place is taken any more, and what is left of a budget is what the log says. */
async function expectLimits(gateway: TestGateway, { secret, userId }: { secret: string; userId: number }) {
  const { db } = gateway
  const spentIn = async () => {
    const cost = sql<number>`sum(${usageLogs.costMicros})`.mapWith(Number)
    const [row] = await db.select({ cost }).from(usageLogs).where(eq(usageLogs.userId, userId))
    return row?.cost ?? 0
  }
  const call = async () => {
    const answer = await gateway.send(ASK, { key: secret })
    const text = await answer.text()
    if (answer.ok) await gateway.rowOf(answer)
    return text.slice(0, 200)
  }
  await db.update(users).set({ concurrentRequests: 1 }).where(eq(users.id, userId))
  await limitTo(db, userId, 1)
  await expect.poll(call).toContain('budget is used up')
  // A call that was killed between its reservation and its first line in the journal holds its place until that expires, and
  // gets its row then.
  const callWithOneMore = async () => {
    await limitTo(db, userId, (await spentIn()) + 1)
    return call()
  }
  await expect.poll(callWithOneMore, TAKEN_OVER).toContain('event: message_start')
}
