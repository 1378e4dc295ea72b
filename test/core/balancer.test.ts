import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { createBalancer } from '../../core/backends/balancer.ts'
import { FOR_GOOD, RECHECK_MS } from '../../core/backends/health.ts'
import type { Backend } from '../../core/policy.ts'
import type { HealthStore } from '../../core/ports.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'

const backend = (name: string, given: Partial<Backend> = {}): Backend => ({
  name,
  url: `https://${name}.test`,
  apiKey: 'k',
  weight: 1,
  enabled: true,
  models: [],
  speaksOpenAi: false,
  ...given,
})

function setUp(backends: Backend[], store: HealthStore = memoryHealth()) {
  const clock = fakeClock()
  const logger = keptLogs()
  const health = { startupCheck: 'off', failureThreshold: 5, cooldownMs: 30_000 } as const
  const policy = { backends, health, balancer: { strategy: 'sticky' } } as const
  let seed = 1
  const random = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  const balancer = createBalancer({ policy, store, clock, logger, random, waitUntil: () => {} })
  const pick = (session?: string, tried: string[] = [], model = 'claude-opus-5-5') =>
    balancer.pick({ session, model }, new Set(tried))
  const named = (name: string) => {
    const found = backends.find((one) => one.name === name)
    if (!found) throw new Error(name)
    return found
  }
  const fail = async (name: string, times = 1) => {
    for (let i = 0; i < times; i++) {
      await balancer.report(named(name), undefined, { kind: 'failed', reason: 'answered 500' })
    }
  }
  const stateOf = (name: string) => balancer.views().find((view) => view.backend.name === name)?.state
  return { balancer, clock, logger, pick, fail, named, stateOf }
}

describe('choosing a backend', () => {
  test.each([[[1, 1]], [[3, 1]], [[10, 5, 1]], [[1, 1, 1, 1, 96]]])(
    'spreads 20,000 sessions by the weights %j within 2 %%',
    (weights) => {
      const { pick } = setUp(weights.map((weight, i) => backend(`backend-${i}`, { weight })))
      const counts = weights.map(() => 0)
      for (let i = 0; i < 20_000; i++) {
        const name = pick(`session-${i}`)?.backend.name ?? ''
        const at = Number(name.split('-')[1])
        counts[at] = (counts[at] ?? 0) + 1
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      for (const [i, weight] of weights.entries()) {
        expect(Math.abs((counts[i] ?? 0) / 20_000 - weight / total)).toBeLessThan(0.02)
      }
    },
  )

  test('keeps a session where it is', () => {
    const { pick } = setUp([backend('a'), backend('b'), backend('c')])
    for (let i = 0; i < 200; i++) {
      const first = pick(`s${i}`)?.backend.name
      expect([pick(`s${i}`)?.backend.name, pick(`s${i}`)?.backend.name]).toEqual([first, first])
    }
  })

  test('moves only the sessions of the backend that went away, and takes them back', async () => {
    const { pick, fail, clock, balancer, named } = setUp([backend('a'), backend('b'), backend('c')])
    const sessions = Array.from({ length: 300 }, (_, i) => `s${i}`)
    const before = sessions.map((session) => pick(session)?.backend.name)
    await fail('b', 5)
    const during = sessions.map((session) => pick(session)?.backend.name)
    for (const [i, name] of before.entries()) {
      if (name === 'b') expect(during[i]).not.toBe('b')
      else expect(during[i]).toBe(name)
    }
    clock.advance(30_000)
    await balancer.report(named('b'), undefined, { kind: 'passed' })
    expect(sessions.map((session) => pick(session)?.backend.name)).toEqual(before)
  })

  test('gives a call without a session to backends by chance', () => {
    const { pick } = setUp([backend('a'), backend('b')])
    const names = new Set(Array.from({ length: 50 }, () => pick(undefined)?.backend.name))
    expect(names).toEqual(new Set(['a', 'b']))
  })

  test('never chooses what is disabled, drained, tried already or does not serve the model', () => {
    const { pick, balancer } = setUp([
      backend('off', { enabled: false }),
      backend('drained', { weight: 0 }),
      backend('tried'),
      backend('haiku', { models: ['claude-haiku-*'] }),
      backend('good'),
    ])
    for (let i = 0; i < 100; i++) expect(pick(`s${i}`, ['tried'])?.backend.name).toBe('good')
    expect(pick('s', ['tried', 'good'])).toBeUndefined()
    expect(pick('s', ['tried', 'good'], 'claude-haiku-4-5')?.backend.name).toBe('haiku')
    expect(balancer.serves('claude-opus-5-5')).toBe(true)
  })

  test('counts calls in flight until they are done', () => {
    const { pick, balancer } = setUp([backend('a')])
    const leases = [pick('1'), pick('2')]
    expect(balancer.views()[0]?.inFlight).toBe(2)
    for (const lease of leases) lease?.done({ kind: 'ok' })
    expect(balancer.views()[0]?.inFlight).toBe(0)
  })
})

describe('backend health', () => {
  test('ejects after five failures in a row, not after four, and an answer in between starts the count again', async () => {
    const { fail, stateOf, balancer, named } = setUp([backend('a')])
    await fail('a', 4)
    expect(stateOf('a')).toBe('healthy')
    await balancer.report(named('a'), undefined, { kind: 'ok' })
    await fail('a', 4)
    expect(stateOf('a')).toBe('healthy')
    await fail('a')
    expect(stateOf('a')).toBe('ejected')
  })

  test('counts failures that are reported at the same moment', async () => {
    const { balancer, named, stateOf } = setUp([backend('a')])
    await Promise.all(
      Array.from({ length: 5 }, () =>
        balancer.report(named('a'), undefined, { kind: 'failed', reason: 'x' }),
      ),
    )
    expect(stateOf('a')).toBe('ejected')
  })

  test('keeps an ejected backend out for the cool-down, then asks for a check; a passed one lets it back on trial', async () => {
    const { fail, pick, clock, balancer, named, stateOf } = setUp([backend('a'), backend('b')])
    await fail('a', 5)
    expect(balancer.due()).toEqual([])
    clock.advance(29_999)
    expect(balancer.due()).toEqual([])
    clock.advance(1)
    expect(balancer.due().map(({ name }) => name)).toEqual(['a'])
    await balancer.report(named('a'), undefined, { kind: 'passed' })
    expect(stateOf('a')).toBe('healthy')
    await fail('a')
    expect(stateOf('a')).toBe('ejected')
    expect(pick('any')?.backend.name).toBe('b')
  })

  test('a failed check keeps it out for another cool-down', async () => {
    const { fail, clock, balancer, named } = setUp([backend('a')])
    await fail('a', 5)
    clock.advance(30_000)
    await balancer.report(named('a'), undefined, { kind: 'down', reason: 'answered 500' })
    expect(balancer.due()).toEqual([])
    clock.advance(30_000)
    expect(balancer.due()).toHaveLength(1)
  })

  test('with nothing else left, one real call at a time is the trial', async () => {
    const { fail, pick, clock, stateOf } = setUp([backend('a')])
    await fail('a', 5)
    expect(pick('s')).toBeUndefined()
    clock.advance(30_000)
    const trial = pick('s')
    expect(trial?.backend.name).toBe('a')
    expect(pick('other')).toBeUndefined()
    trial?.done({ kind: 'ok' })
    await expect.poll(() => stateOf('a')).toBe('healthy')
    expect(pick('other')?.backend.name).toBe('a')
  })

  test('a late failure of an old call does not make an ejection longer', async () => {
    const { fail, clock, balancer } = setUp([backend('a')])
    await fail('a', 5)
    clock.advance(29_000)
    await fail('a', 3)
    clock.advance(1_000)
    expect(balancer.due()).toHaveLength(1)
  })

  test('429 rests a backend for that model only, and ends by itself', async () => {
    const { balancer, named, pick, clock, stateOf } = setUp([backend('a')])
    const untilMs = clock.now() + 7_000
    await balancer.report(named('a'), 'claude-opus-5-5', { kind: 'parked', reason: 'answered 429', untilMs })
    expect(pick('s')).toBeUndefined()
    expect(pick('s', [], 'claude-haiku-4-5')?.backend.name).toBe('a')
    expect(stateOf('a')).toBe('cooling_down')
    expect(balancer.restMs('claude-opus-5-5')).toBe(7_000)
    clock.advance(7_000)
    expect(pick('s')?.backend.name).toBe('a')
    expect(stateOf('a')).toBe('healthy')
  })

  test('a refused credential disables it until a check passes, and checks are few', async () => {
    const { balancer, named, pick, clock, stateOf } = setUp([backend('a')])
    await balancer.report(named('a'), undefined, {
      kind: 'barred',
      reason: 'answered 401',
      recheckMs: 300_000,
    })
    expect([stateOf('a'), pick('s')]).toEqual(['disabled', undefined])
    clock.advance(RECHECK_MS - 1)
    expect(balancer.due()).toEqual([])
    clock.advance(1)
    expect(balancer.due()).toHaveLength(1)
    expect(pick('s')).toBeUndefined()
    await balancer.report(named('a'), undefined, { kind: 'passed' })
    expect(pick('s')?.backend.name).toBe('a')
  })

  test('a call under way that is refused as well does not bring the next check nearer', async () => {
    const { balancer, named, clock } = setUp([backend('bad-key'), backend('unpaid')])
    const barred = (name: string, recheckMs: number) =>
      balancer.report(named(name), undefined, { kind: 'barred', reason: 'answered 401', recheckMs })
    await barred('bad-key', FOR_GOOD)
    await barred('unpaid', RECHECK_MS)
    for (const name of ['bad-key', 'unpaid']) await barred(name, 0)
    expect(balancer.due()).toEqual([])
    clock.advance(RECHECK_MS)
    expect(balancer.due().map(({ name }) => name)).toEqual(['unpaid'])
  })

  test('goes on with its own view, and says so, when the store cannot be reached', async () => {
    const broken: HealthStore = {
      read: () => Promise.reject(new Error('gone')),
      swap: () => Promise.reject(new Error('gone')),
    }
    const { fail, stateOf, logger } = setUp([backend('a')], broken)
    await fail('a', 5)
    expect(stateOf('a')).toBe('ejected')
    expect(logger.lines.map(({ event }) => event)).toContain('health.store_failed')
  })

  test('what is still on its way to the store counts already, once', async () => {
    const sent = Promise.withResolvers<void>()
    const kept = memoryHealth()
    const slow: HealthStore = { ...kept, swap: (...given) => sent.promise.then(() => kept.swap(...given)) }
    const { balancer, fail, stateOf } = setUp([backend('a')], slow)
    const written = [fail('a'), fail('a'), fail('a'), fail('a')]
    expect([stateOf('a'), balancer.views()[0]?.failures]).toEqual(['healthy', 4])
    written.push(fail('a'))
    expect(stateOf('a')).toBe('ejected')
    sent.resolve()
    await Promise.all(written)
    expect((await slow.read()).get('a')).toMatchObject({ state: 'ejected', failures: 5 })
    expect(balancer.views()[0]?.failures).toBe(5)
  })

  test('two processes on one store lose no failure', async () => {
    const store = memoryHealth()
    const [one, two] = [setUp([backend('a')], store), setUp([backend('a')], store)]
    await Promise.all([one.fail('a', 2), two.fail('a', 3)])
    await one.balancer.refresh()
    expect(one.stateOf('a')).toBe('ejected')
  })
})
