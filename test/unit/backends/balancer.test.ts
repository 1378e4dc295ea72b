import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../../adapters/drivers/health/memory.ts'
import { createBalancer } from '../../../core/backends/balancer.ts'
import { createBackendMemory } from '../../../core/backends/memory.ts'
import type { Selection } from '../../../core/backends/selection.ts'
import type { Verdict } from '../../../core/calls/verdict.ts'
import type { HealthStore } from '../../../core/ports.ts'
import type { Backend } from '../../../core/settings.ts'
import { fakeClock } from '../../support/clock.ts'
import { keptLogs } from '../../support/logs.ts'

const OPUS = 'claude-opus-5-5'
const SONNET = 'claude-sonnet-5-5'
const HAIKU = 'claude-haiku-5-5'
const ANN = 1
const BOB = 2
const FAILED: Verdict = { kind: 'pair_failed', reason: 'answered 529', fromNetwork: false }
const SERVED: Verdict = { kind: 'served' }

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

interface Asked {
  person?: number
  model?: string
  conversation?: string | undefined
  tried?: string[]
  boundTo?: string
}

function setUp(
  backends: Backend[],
  given: { store?: HealthStore; clock?: ReturnType<typeof fakeClock> } = {},
) {
  const clock = given.clock ?? fakeClock()
  const logger = keptLogs()
  const store = given.store ?? memoryHealth()
  const health = { startupCheck: 'off', failureThreshold: 5, cooldownMs: 30_000 } as const
  const pending: Promise<unknown>[] = []
  const waitUntil = (work: Promise<unknown>) => void pending.push(work)
  const memory = createBackendMemory({ store, clock, logger, settings: health, waitUntil })
  let seed = 1
  const random = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  const checked: string[] = []
  const outages: string[] = []
  const build = (settings: Backend[]) =>
    createBalancer({
      settings: { backends: settings, health, balancer: { strategy: 'sticky' } },
      memory,
      clock,
      logger,
      random,
      healthNameOf: (model) => (model.startsWith('claude-') ? model : 'other'),
      checkModel: ({ name }, model) => void checked.push(`${name} ${model}`),
      onOutage: ({ backend: name, state }) => void outages.push(`${name} ${state}`),
    })
  const balancer = build(backends)
  const wanted = ({ person = ANN, model = OPUS, conversation, boundTo }: Asked) => ({
    person,
    model,
    conversation: conversation === undefined ? undefined : { id: conversation, cacheLifeMs: 300_000 },
    boundTo,
    teachesNothing: false,
  })
  const select = async (asked: Asked = {}) => balancer.select(wanted(asked), new Set(asked.tried))
  /** One call to its end; answers where it went. */
  const call = async (verdict: Verdict, asked: Asked = {}): Promise<string | undefined> => {
    const selection = await select(asked)
    if (!selection) return undefined
    if (verdict.kind === 'served') selection.firstByte()
    selection.done(verdict)
    await Promise.all(pending.splice(0))
    return selection.backend.name
  }
  /** Fails at this backend until it is out for the model, by two people. */
  const eject = async (name: string, model = OPUS) => {
    for (let i = 0; i < 5; i++) await call(FAILED, { boundTo: name, model, person: i % 2 === 0 ? ANN : BOB })
  }
  const stateOf = (name: string) => balancer.views().find((view) => view.backend.name === name)?.state
  const modelOf = (name: string, model = OPUS) =>
    balancer
      .views()
      .find((view) => view.backend.name === name)
      ?.models.find((one) => one.model === model)
  const settled = async () => void (await Promise.all(pending.splice(0)))
  return {
    balancer,
    build,
    clock,
    logger,
    wanted,
    select,
    call,
    eject,
    stateOf,
    modelOf,
    checked,
    outages,
    settled,
  }
}

describe('choosing a backend', () => {
  test.each([[[1, 1]], [[3, 1]], [[10, 5, 1]], [[1, 1, 1, 1, 96]]])(
    'spreads 20,000 conversations by the weights %j within 2 %%',
    async (weights) => {
      const { select } = setUp(weights.map((weight, i) => backend(`backend-${i}`, { weight })))
      const counts = weights.map(() => 0)
      for (let i = 0; i < 20_000; i++) {
        const at = Number((await select({ conversation: `session-${i}` }))?.backend.name.split('-')[1])
        counts[at] = (counts[at] ?? 0) + 1
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      for (const [i, weight] of weights.entries()) {
        expect(Math.abs((counts[i] ?? 0) / 20_000 - weight / total)).toBeLessThan(0.02)
      }
    },
  )

  test('keeps a conversation where it is', async () => {
    const { call } = setUp([backend('a'), backend('b'), backend('c')])
    for (let i = 0; i < 200; i++) {
      const first = await call(SERVED, { conversation: `s${i}` })
      expect(await call(SERVED, { conversation: `s${i}` })).toBe(first)
    }
  })

  test('gives a call without a conversation to backends by chance', async () => {
    const { call } = setUp([backend('a'), backend('b')])
    const names = new Set<string | undefined>()
    for (let i = 0; i < 50; i++) names.add(await call(SERVED))
    expect(names).toEqual(new Set(['a', 'b']))
  })

  test('never chooses what is switched off, drained, tried already or does not serve the model', async () => {
    const { select, balancer } = setUp([
      backend('off', { enabled: false }),
      backend('drained', { weight: 0 }),
      backend('tried'),
      backend('haiku', { models: ['claude-haiku-*'] }),
      backend('good'),
    ])
    for (let i = 0; i < 100; i++) {
      expect((await select({ conversation: `s${i}`, tried: ['tried'] }))?.backend.name).toBe('good')
    }
    expect(await select({ tried: ['tried', 'good'] })).toBeUndefined()
    expect((await select({ tried: ['tried', 'good'], model: HAIKU }))?.backend.name).toBe('haiku')
    expect(balancer.serves(OPUS)).toBe(true)
  })

  test('a call that names what belongs to an account goes there or nowhere', async () => {
    const { select, eject } = setUp([backend('a'), backend('b', { weight: 0 })])
    for (let i = 0; i < 20; i++)
      expect((await select({ conversation: `s${i}`, boundTo: 'b' }))?.backend.name).toBe('b')
    await eject('b')
    expect(await select({ boundTo: 'b' })).toBeUndefined()
  })

  test('weight 0 drains: conversations stay until they are idle, new ones go elsewhere', async () => {
    const { balancer, call, clock } = setUp([backend('a'), backend('b')])
    const ids = Array.from({ length: 50 }, (_, i) => `s${i}`)
    const before = new Map<string, string | undefined>()
    for (const conversation of ids) before.set(conversation, await call(SERVED, { conversation }))
    balancer.adjust('a', { weight: 0 })
    for (const conversation of ids)
      expect(await call(SERVED, { conversation })).toBe(before.get(conversation))
    for (let i = 0; i < 50; i++) expect(await call(SERVED, { conversation: `new ${i}` })).toBe('b')
    clock.advance(300_001)
    for (const conversation of ids) expect(await call(SERVED, { conversation })).toBe('b')
  })

  test('counts calls in flight until they are done', async () => {
    const { select, balancer } = setUp([backend('a')])
    const selections = [await select(), await select()]
    expect(balancer.views()[0]?.inFlight).toBe(2)
    for (const selection of selections) selection?.done(SERVED)
    expect(balancer.views()[0]?.inFlight).toBe(0)
  })
})

describe('a conversation that was moved', () => {
  test('stays where it went until it is idle, then goes home', async () => {
    const { call, eject, clock } = setUp([backend('a'), backend('b'), backend('c')])
    const ids = Array.from({ length: 60 }, (_, i) => `s${i}`)
    const home = new Map<string, string | undefined>()
    for (const conversation of ids) home.set(conversation, await call(SERVED, { conversation }))
    await eject('b')
    const during = new Map<string, string | undefined>()
    for (const conversation of ids) during.set(conversation, await call(SERVED, { conversation }))
    for (const [conversation, name] of during) {
      if (home.get(conversation) !== 'b') expect(name).toBe(home.get(conversation))
      else expect(name).not.toBe('b')
    }
    clock.advance(60_000)
    expect(await call(SERVED, { boundTo: 'b', person: BOB })).toBe('b')
    for (const conversation of ids)
      expect(await call(SERVED, { conversation })).toBe(during.get(conversation))
    clock.advance(300_001)
    for (const conversation of ids) expect(await call(SERVED, { conversation })).toBe(home.get(conversation))
  })

  test('is known to other processes, and after a restart', async () => {
    const clock = fakeClock()
    const store = memoryHealth()
    const here = setUp([backend('a'), backend('b')], { clock, store })
    const ids = Array.from({ length: 40 }, (_, i) => `s${i}`)
    await here.eject('a')
    const went = new Map<string, string | undefined>()
    for (const conversation of ids) went.set(conversation, await here.call(SERVED, { conversation }))
    await here.balancer.refresh()
    clock.advance(60_000)
    const there = setUp([backend('a'), backend('b')], { clock, store })
    await there.balancer.refresh()
    await there.call(SERVED, { boundTo: 'a', person: BOB })
    for (const conversation of ids)
      expect(await there.call(SERVED, { conversation })).toBe(went.get(conversation))
  })

  test('of one person never costs another person theirs', async () => {
    const { call, eject, clock } = setUp([backend('a'), backend('b')])
    await eject('a')
    expect(await call(SERVED, { conversation: 'mine', person: BOB })).toBe('b')
    for (let i = 0; i < 6_000; i++) await call(SERVED, { conversation: `s${i}`, person: ANN })
    clock.advance(31_000)
    await call(SERVED, { boundTo: 'a', person: BOB })
    expect(await call(SERVED, { conversation: 'mine', person: BOB })).toBe('b')
  })
})

describe('one model of an account that fails', () => {
  test('is out for itself alone', async () => {
    const { call, eject, modelOf, stateOf } = setUp([backend('a')])
    await eject('a')
    expect(modelOf('a')).toMatchObject({ state: 'ejected', reason: 'answered 529' })
    expect(stateOf('a')).toBe('healthy')
    expect(await call(SERVED)).toBeUndefined()
    expect(await call(SERVED, { model: SONNET })).toBe('a')
  })

  test('is not put out by one person while others call it', async () => {
    const { call, modelOf } = setUp([backend('a')])
    await call(SERVED, { person: BOB })
    for (let i = 0; i < 50; i++) expect(await call(FAILED, { person: ANN })).toBe('a')
    expect(modelOf('a')?.state).toBe('failing')
  })

  test('puts the account out only together with a second one, with no success of any between', async () => {
    const { call, eject, stateOf, outages, settled } = setUp([backend('a')])
    await eject('a', OPUS)
    await call(SERVED, { model: HAIKU })
    await eject('a', SONNET)
    await settled()
    expect(stateOf('a')).toBe('healthy')
    await eject('a', 'claude-fable-5-2')
    await settled()
    expect([stateOf('a'), outages]).toEqual(['healthy', []])
  })

  test('and a second one put the account out, which is told once', async () => {
    const { eject, stateOf, outages, settled, call } = setUp([backend('a')])
    await eject('a', OPUS)
    await eject('a', SONNET)
    await settled()
    expect([stateOf('a'), outages]).toEqual(['ejected', ['a ejected']])
    expect(await call(SERVED, { model: HAIKU })).toBeUndefined()
  })

  test('that one person broke alone does not count against the account', async () => {
    const { call, stateOf, settled } = setUp([backend('a')])
    for (const model of [OPUS, SONNET, HAIKU]) {
      for (let i = 0; i < 5; i++) await call(FAILED, { model, person: ANN })
    }
    await settled()
    expect(stateOf('a')).toBe('healthy')
  })

  test('that nobody lists never counts against the account', async () => {
    const { eject, stateOf, settled } = setUp([backend('a')])
    for (let i = 0; i < 30; i++) await eject('a', `invented-${i}`)
    await eject('a', OPUS)
    await settled()
    expect(stateOf('a')).toBe('healthy')
  })
})

describe('a backend that is half-open', () => {
  test('gets one call over all processes, and a success opens it for all', async () => {
    const clock = fakeClock()
    const store = memoryHealth()
    const here = setUp([backend('a')], { clock, store })
    const there = setUp([backend('a')], { clock, store })
    await here.eject('a')
    clock.advance(30_000)
    await there.balancer.refresh()
    const got = [await here.select({ person: 8 }), await there.select({ person: 9 })].filter(Boolean)
    expect(got).toHaveLength(1)
    got[0]?.firstByte()
    got[0]?.done(SERVED)
    await Promise.all([here.settled(), there.settled()])
    await Promise.all([here.balancer.refresh(), there.balancer.refresh()])
    expect([here.modelOf('a'), there.modelOf('a')]).toEqual([undefined, undefined])
  })

  test('gives one person no two calls in a row while others ask', async () => {
    const { call, eject, clock, balancer, wanted } = setUp([backend('a')])
    await eject('a')
    clock.advance(30_000)
    expect(await call(FAILED, { person: ANN })).toBe('a')
    clock.advance(59_000)
    // They get what there is while nothing is usable, and so have asked.
    await balancer.tryAnyway(wanted({ person: BOB }))
    clock.advance(2_000)
    expect(await call(FAILED, { person: ANN })).toBeUndefined()
    expect(await call(SERVED, { person: BOB })).toBe('a')
  })
})

test('a call that counts tokens is never the half-open one', async () => {
  const { balancer, eject, clock, wanted } = setUp([backend('a')])
  await eject('a')
  clock.advance(30_000)
  const counting = { ...wanted({ person: 9 }), teachesNothing: true }
  expect(await balancer.select(counting, new Set())).toBeUndefined()
  expect(await balancer.tryAnyway(counting)).toMatchObject({ selection: { backend: { name: 'a' } } })
})

describe('when no backend of a model is usable', () => {
  test('four people are tried at the same time, and one person once', async () => {
    const { balancer, eject, wanted, clock } = setUp([backend('a')])
    await eject('a')
    clock.advance(1_000)
    const tried: Selection[] = []
    for (const person of [11, 11, 12, 13, 14]) {
      const found = await Promise.race([balancer.tryAnyway(wanted({ person })), 'waits'])
      if (typeof found === 'object' && found && 'selection' in found) tried.push(found.selection)
    }
    expect(tried).toHaveLength(4)
  })

  test('everybody else hears what the last one heard, for ten seconds', async () => {
    const { balancer, eject, wanted, clock } = setUp([backend('a')])
    await eject('a')
    balancer.keepRefusal(backend('a'), OPUS, { status: 529, type: 'overloaded_error', retryAt: undefined })
    for (const person of [11, 12, 13, 14]) await balancer.tryAnyway(wanted({ person }))
    expect(await balancer.tryAnyway(wanted({ person: 15 }))).toMatchObject({ refusal: { status: 529 } })
    clock.advance(4_999)
    expect(await balancer.tryAnyway(wanted({ person: 15 }))).toMatchObject({ refusal: { status: 529 } })
  })

  test('a call waits for one that is being tried, and goes where that one opened the way', async () => {
    const { balancer, eject, wanted } = setUp([backend('a')])
    await eject('a')
    const tried: Selection[] = []
    for (const person of [11, 12, 13, 14]) {
      const found = await balancer.tryAnyway(wanted({ person }))
      if (found && 'selection' in found) tried.push(found.selection)
    }
    const waiting = balancer.tryAnyway(wanted({ person: 15 }))
    tried[0]?.firstByte()
    expect(await waiting).toMatchObject({ selection: { backend: { name: 'a' } } })
  })

  test('a disabled account is not tried', async () => {
    const { balancer, wanted } = setUp([backend('a')])
    balancer.disable(backend('a'), { kind: 'account_unpaid', reason: 'answered 402', resetAt: undefined })
    expect(await balancer.tryAnyway(wanted({}))).toBeUndefined()
    expect(balancer.whyNone(wanted({}))).toBe('disabled')
  })
})

describe('an address that cannot be reached', () => {
  const UNREACHABLE: Verdict = { kind: 'account_unreachable', reason: 'network error (ECONNREFUSED)' }
  test('is out for this process alone, whoever called', async () => {
    const clock = fakeClock()
    const store = memoryHealth()
    const here = setUp([backend('a'), backend('b')], { clock, store })
    const there = setUp([backend('a'), backend('b')], { clock, store })
    for (let i = 0; i < 5; i++) await here.call(UNREACHABLE, { boundTo: 'a' })
    await Promise.all([here.balancer.refresh(), there.balancer.refresh()])
    expect([here.stateOf('a'), there.stateOf('a')]).toEqual(['ejected', 'healthy'])
  })
  test('says nothing about a backend when none can be reached', () => {
    const { balancer } = setUp([backend('a'), backend('b')])
    expect(balancer.judged(backend('a'), UNREACHABLE).kind).toBe('account_unreachable')
    expect(balancer.judged(backend('b'), UNREACHABLE).kind).toBe('ours')
  })
  test('counts again once any other was reached', () => {
    const { balancer, clock } = setUp([backend('a'), backend('b')])
    balancer.judged(backend('a'), UNREACHABLE)
    clock.advance(5_001)
    expect(balancer.judged(backend('b'), UNREACHABLE).kind).toBe('account_unreachable')
  })
})

describe('a reload', () => {
  test('keeps health, conversations and calls in flight of backends that stay', async () => {
    const { balancer, build, eject, select, call } = setUp([backend('a'), backend('b')])
    await eject('a')
    const held = await select({ boundTo: 'b' })
    const places = new Map<string, string | undefined>()
    for (let i = 0; i < 20; i++) places.set(`s${i}`, await call(SERVED, { conversation: `s${i}` }))
    const next = build([backend('a'), backend('b', { weight: 5 })])
    const [a, b] = next.views()
    expect([a?.models[0]?.state, b?.inFlight]).toEqual(['ejected', 1])
    held?.done(SERVED)
    expect(next.views()[1]?.inFlight).toBe(0)
    expect(balancer.views()[1]?.inFlight).toBe(0)
  })
  test('starts a backend healthy that has another address or credential', async () => {
    const { build, eject } = setUp([backend('a'), backend('b')])
    await eject('a')
    await eject('b')
    const next = build([backend('a', { apiKey: 'another' }), backend('b')])
    expect(next.views().map(({ models }) => models[0]?.state)).toEqual([undefined, 'ejected'])
  })
})

describe('the store', () => {
  test('that cannot be reached changes nothing for this process', async () => {
    const broken: HealthStore = {
      read: () => Promise.reject(new Error('away')),
      swap: () => Promise.reject(new Error('away')),
      move: () => Promise.reject(new Error('away')),
      movedSince: () => Promise.reject(new Error('away')),
    }
    const { eject, modelOf, call, logger } = setUp([backend('a'), backend('b')], { store: broken })
    await eject('a')
    expect(modelOf('a')?.state).toBe('ejected')
    for (let i = 0; i < 20; i++) expect(await call(SERVED, { conversation: `s${i}` })).toBe('b')
    expect(logger.lines.some(({ event }) => event === 'health.store_failed')).toBe(true)
  })
  test('adds up what several processes saw', async () => {
    const clock = fakeClock()
    const store = memoryHealth()
    const here = setUp([backend('a')], { clock, store })
    const there = setUp([backend('a')], { clock, store })
    for (let i = 0; i < 3; i++) await here.call(FAILED, { person: ANN })
    await there.balancer.refresh()
    for (let i = 0; i < 2; i++) await there.call(FAILED, { person: BOB })
    await here.balancer.refresh()
    expect(here.modelOf('a')?.state).toBe('ejected')
  })
})

test('a model that a backend says it does not offer is asked for by a call of our own', async () => {
  const { call, checked, modelOf } = setUp([backend('a')])
  await call({ kind: 'model_not_offered', reason: 'answered 403' })
  expect([checked, modelOf('a')]).toEqual([[`a ${OPUS}`], undefined])
})
