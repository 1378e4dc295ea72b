/** Several gateways that share a database server and a Redis: one set of limits, one key cache, nothing lost. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiKeys, type users } from '../../core/db/schema.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHrana } from '../support/hrana.ts'
import { freePort } from '../support/ports.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/stores.ts'
import { errorJson, type FakeUpstream, messageStream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] }
/** What the gateway holds for ASK: its bytes / 4 at 4 and 100 tokens at 20 micro-dollars. */
const HELD_MICROS = Math.ceil(JSON.stringify(ASK).length / 4) * 4 + 100 * 20

/** Two gateways on one database server. The spare upstream serves Haiku when the first does not. */
async function startTwo(stores: object) {
  const folder = temporaryFolder()
  const hrana = await startHrana(join(folder.path, 'shared.db'))
  const upstream = await startUpstream()
  const spare = await startUpstream()
  const settings = {
    backends: [
      { name: 'a', url: upstream.url, weight: 1e6 },
      { name: 'spare', url: spare.url, weight: 1e-6, models: ['claude-haiku-*'] },
    ],
    database: { url: hrana.url, auth_token: hrana.token },
    ...stores,
  }
  const one = await startGateway(settings)
  const two = await startGateway(settings)
  const stop = async () => {
    for (const started of [one, two, upstream, spare, hrana]) await started.stop()
    folder.remove()
  }
  return { one, two, upstream, stop }
}
type Two = Awaited<ReturnType<typeof startTwo>>

/** A key that both know already. */
async function known({ one, two }: Two, given: Partial<typeof users.$inferInsert>) {
  const key = await one.newKey(given)
  const ask = async (gateway: TestGateway) =>
    (await gateway.send(ASK, { key: key.secret, path: '/v1/messages/count_tokens' })).status
  await expect.poll(() => ask(one)).toBe(200)
  await expect.poll(() => ask(two)).toBe(200)
  return key
}

describe.skipIf(!HAS_REDIS && !process.env.CI)('two gateways on one database server and one Redis', () => {
  let redis: RealRedis
  let both: Two
  beforeAll(async () => {
    redis = await startRedis()
    both = await startTwo({
      redis: { url: redis.url },
      limits: { store: 'redis' },
      health: { startup_check: 'off', store: 'redis', cooldown: '20s' },
    })
  })
  afterAll(async () => {
    await both?.stop()
    await redis?.stop()
  })

  test('of 500 calls over both, 40 at once, on a budget for 100, exactly 100 pass', async () => {
    const { secret } = await known(both, { budgetMicros: HELD_MICROS * 100 })
    await expectHundredOf500({ ...both, secret })
  }, 40_000)

  test('a key that is revoked at one is refused at the other within a second', async () => {
    const { secret, keyId } = await known(both, {})
    await both.one.db.update(apiKeys).set({ status: 'disabled' }).where(eq(apiKeys.id, keyId))
    const status = async () => (await both.two.send(ASK, { key: secret })).status
    await expect.poll(status, { timeout: 1_500 }).toBe(401)
  })

  test('what one learns of a backend, the other knows', async () => {
    const { secret } = await known(both, {})
    await expectLearned({ ...both, secret })
  })

  test('kill -9 of one loses nothing, and its limits are not held for good', async () => {
    const { secret, userId } = await known(both, { budgetMicros: 1e9 })
    const { one, two } = both
    const sent: string[] = []
    for (let i = 0; i < 20; i++) {
      const answer = await (i % 2 ? one : two).send(ASK, { key: secret })
      await answer.text()
      sent.push(answer.headers.get('request-id') ?? '')
    }
    await two.end('SIGKILL')
    await two.restart()
    const logged = async () =>
      (await one.db.query.usageLogs.findMany())
        .filter((row) => row.userId === userId)
        .map(({ requestId }) => requestId)
        .toSorted()
    await expect.poll(logged).toEqual(sent.toSorted())
  })
})

describe('two gateways on one database server and nothing else', () => {
  let both: Two
  beforeAll(async () => {
    both = await startTwo({
      limits: { store: 'database' },
      health: { startup_check: 'off', store: 'database', cooldown: '20s' },
    })
  })
  afterAll(() => both?.stop())

  test('of 500 calls over both, 40 at once, on a budget for 100, exactly 100 pass', async () => {
    const { secret } = await known(both, { budgetMicros: HELD_MICROS * 100 })
    await expectHundredOf500({ ...both, secret })
  }, 40_000)

  test('what one learns of a backend, the other knows', async () => {
    await expectLearned({ ...both, secret: both.one.key })
  })
})

/** A model fails at the first backend; the gateway that did not meet it goes to the spare one without a try. */
async function expectLearned(parts: {
  one: TestGateway
  two: TestGateway
  upstream: FakeUpstream
  secret: string
}) {
  const { one, two, upstream, secret } = parts
  const ask = async (gateway: TestGateway) => {
    const messages = [{ role: 'user', content: crypto.randomUUID() }]
    const answer = await gateway.send({ ...ASK, model: 'claude-haiku-5-5', messages }, { key: secret })
    await answer.text()
    return answer.status
  }
  upstream.answer({
    status: 529,
    headers: { 'content-type': 'application/json' },
    chunks: [errorJson('overloaded_error')],
  })
  for (let i = 0; i < 5; i++) expect(await ask(one)).toBe(200)
  const triedBy = async (gateway: TestGateway) => {
    const before = upstream.requests.length
    expect(await ask(gateway)).toBe(200)
    return upstream.requests.length - before
  }
  expect(await triedBy(one)).toBe(0)
  await expect.poll(() => triedBy(two)).toBe(0)
  upstream.reset()
}

describe('server.workers', () => {
  const work = async (stores: object) => {
    const upstream = await startUpstream()
    const gateway = await startGateway({
      backends: [{ name: 'a', url: upstream.url }],
      health: { startup_check: 'off', store: 'database' },
      server: { port: await freePort(), host: '127.0.0.1', drain_timeout: '2s', workers: 2 },
      ...stores,
    })
    const started = () => gateway.output().match(/"server\.listening"/g)?.length
    await expect.poll(started, { timeout: 60_000 }).toBe(2)
    for (let i = 0; i < 10; i++) expect((await gateway.send(ASK)).status).toBe(200)
    const { pid } = gateway.process
    const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')
    process.kill(Number(worker), 'SIGKILL')
    await expect.poll(started, { timeout: 60_000 }).toBe(3)
    expect(await gateway.rows(10)).toHaveLength(10)
    const { secret } = await gateway.newKey({ budgetMicros: HELD_MICROS * 100 })
    const path = '/v1/messages/count_tokens'
    // Over many connections, because both workers have to know the key.
    const statuses = () =>
      Promise.all(
        Array.from({ length: 40 }, async () => (await gateway.send(ASK, { key: secret, path })).status),
      )
    await expect.poll(async () => (await statuses()).every((status) => status === 200)).toBe(true)
    upstream.reset()
    await expectHundredOf500({ one: gateway, two: gateway, upstream, secret })
    expect(await gateway.end('SIGTERM')).toBe(0)
    await gateway.stop()
    await upstream.stop()
  }

  test('several processes on one port share one database file and its limits, one that is killed loses nothing and is replaced, and all end together', async () => {
    await work({ limits: { store: 'database' } })
  }, 120_000)

  test.skipIf(!HAS_REDIS && !process.env.CI)(
    'and with limits in Redis',
    async () => {
      const redis = await startRedis()
      await work({
        redis: { url: redis.url },
        limits: { store: 'redis' },
        health: { startup_check: 'off', store: 'redis' },
      })
      await redis.stop()
    },
    120_000,
  )
})

/** So few that each is decided long before a gateway gives up asking where the limits are, however slow the machine is. */
const UNDECIDED_CALLS = 40

/** Asks by turns. The hundred that are let in hang until all others were refused. */
async function expectHundredOf500(parts: {
  one: TestGateway
  two: TestGateway
  upstream: FakeUpstream
  secret: string
}) {
  const { one, two, upstream, secret } = parts
  upstream.answer(() => ({ chunks: messageStream({ usage: { input_tokens: 1 } }), before: 'hang' }))
  const stop = new AbortController()
  const statuses: number[] = []
  const failures: unknown[] = []
  const ask = async (gateway: TestGateway) => {
    try {
      const answer = await gateway.send(ASK, { key: secret, signal: stop.signal })
      statuses.push(answer.status)
      await answer.text()
    } catch (cause) {
      // Those that were let in are given up in the end.
      if (!stop.signal.aborted) failures.push(cause)
    }
  }
  const letIn = () => upstream.requests.filter(({ url }) => url === '/v1/messages').length
  const undecided = (sent: number) => sent - letIn() - statuses.length - failures.length
  const calls: Promise<void>[] = []
  while (calls.length < 500) {
    if (undecided(calls.length) < UNDECIDED_CALLS) calls.push(ask(calls.length % 2 ? one : two))
    else await setTimeout(2)
  }
  while (undecided(calls.length) > 0) await setTimeout(2)
  stop.abort()
  await Promise.all(calls)
  expect(failures).toEqual([])
  expect({ letIn: letIn(), statuses }).toEqual({
    letIn: 100,
    statuses: Array.from({ length: 400 }, () => 429),
  })
  upstream.reset()
}
