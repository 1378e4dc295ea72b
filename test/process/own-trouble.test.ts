/** What is wrong with one machine stays its own: others that share the health of backends with it go on as before. */
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { startHrana } from '../support/hrana.ts'
import { HAS_REDIS, type RealRedis, startRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/stores.ts'
import { errorJson, type FakeUpstream, startUpstream } from '../support/upstream.ts'

const AN_HOUR_AHEAD = 'const now = Date.now; Date.now = () => now() + 3_600_000'
const OVERLOADED = {
  status: 529,
  headers: { 'content-type': 'application/json' },
  chunks: [errorJson('overloaded_error')],
}

const stores = HAS_REDIS || process.env.CI ? (['redis', 'database'] as const) : (['database'] as const)

describe.each(stores)('with the health of backends in %s, one of two gateways', (store) => {
  const folder = temporaryFolder()
  let hrana: Awaited<ReturnType<typeof startHrana>>
  let redis: RealRedis | undefined
  let upstream: FakeUpstream
  let spare: FakeUpstream
  let well: TestGateway
  const started = (url: string) =>
    startGateway({
      backends: [
        { name: 'a', url, weight: 1e6 },
        { name: 'spare', url: spare.url, weight: 1e-6 },
      ],
      database: { url: hrana.url, auth_token: hrana.token },
      ...(redis ? { redis: { url: redis.url } } : {}),
      limits: { store },
      health: { startup_check: 'off', store, cooldown: '2s' },
    })
  const ask = async (gateway: TestGateway) => {
    const messages = [{ role: 'user', content: crypto.randomUUID() }]
    const answer = await gateway.send(
      { model: 'claude-haiku-5-5', max_tokens: 9, messages },
      { key: well.key },
    )
    await answer.text()
    return answer.status
  }
  const askOften = async (gateway: TestGateway) => {
    const statuses: number[] = []
    for (let i = 0; i < 10; i++) statuses.push(await ask(gateway))
    return statuses
  }
  beforeAll(async () => {
    hrana = await startHrana(join(folder.path, 'shared.db'))
    redis = store === 'redis' ? await startRedis() : undefined
    upstream = await startUpstream()
    spare = await startUpstream()
    well = await started(upstream.url)
  })
  afterAll(async () => {
    await well?.stop()
    await upstream?.stop()
    await spare?.stop()
    await redis?.stop()
    await hrana?.stop()
    folder.remove()
  })
  beforeEach(() => {
    upstream.reset()
    spare.reset()
  })
  const tenOfTen = Array.from({ length: 10 }, () => 200)

  test('that resolves no name takes the backend from itself only', async () => {
    const cutOff = await started('https://claude.invalid')
    await expect.poll(() => ask(cutOff)).toBe(200)
    expect(await askOften(cutOff)).toEqual(tenOfTen)
    expect(upstream.requests).toEqual([])
    expect(cutOff.output()).toContain('call.attempt_failed')
    // It is read from the store within a second.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    spare.reset()
    expect(await askOften(well)).toEqual(tenOfTen)
    expect(spare.requests).toEqual([])
    await cutOff.stop()
  }, 120_000)

  test('whose clock is an hour ahead takes no backend from the other for an hour', async () => {
    const { NODE_OPTIONS = '' } = process.env
    process.env.NODE_OPTIONS = `${NODE_OPTIONS} --import data:text/javascript,${encodeURIComponent(AN_HOUR_AHEAD)}`
    const ahead = await started(upstream.url).finally(() => {
      process.env.NODE_OPTIONS = NODE_OPTIONS
    })
    upstream.answer(OVERLOADED)
    await askOften(ahead)
    await expect.poll(() => ahead.output()).toContain('"state":"ejected"')
    upstream.reset()
    await expect
      .poll(
        async () => {
          spare.reset()
          await askOften(well)
          return spare.requests.length
        },
        { timeout: 30_000 },
      )
      .toBe(0)
    await ahead.stop()
  }, 120_000)
})
