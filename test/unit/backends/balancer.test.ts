import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../../adapters/drivers/health/memory.ts'
import type { Selection } from '../../../core/backends/selection.ts'
import type { Verdict } from '../../../core/calls/verdict.ts'
import type { HealthStore } from '../../../core/ports.ts'
import { ANN, BOB, backend, HAIKU, OPUS, SONNET } from '../../support/backends.ts'
import { balancing, FAILED, SERVED } from '../../support/balancing.ts'
import { fakeClock } from '../../support/clock.ts'

describe('one model of an account that fails', () => {
  test('is out for itself alone', async () => {
    const { call, eject, modelOf, stateOf } = balancing([backend('a')])
    await eject('a')
    expect(modelOf('a')).toMatchObject({ state: 'ejected', reason: 'answered 529' })
    expect(stateOf('a')).toBe('healthy')
    expect(await call(SERVED)).toBeUndefined()
    expect(await call(SERVED, { model: SONNET })).toBe('a')
  })

  test('is not put out by one person while others call it', async () => {
    const { call, modelOf } = balancing([backend('a')])
    await call(SERVED, { person: BOB })
    for (let i = 0; i < 50; i++) expect(await call(FAILED, { person: ANN })).toBe('a')
    expect(modelOf('a')?.state).toBe('failing')
  })

  test('puts the account out only together with a second one, with no success of any between', async () => {
    const { call, eject, stateOf, outages, settled } = balancing([backend('a')])
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
    const { eject, stateOf, outages, settled, call } = balancing([backend('a')])
    await eject('a', OPUS)
    await eject('a', SONNET)
    await settled()
    expect([stateOf('a'), outages]).toEqual(['ejected', ['a ejected']])
    expect(await call(SERVED, { model: HAIKU })).toBeUndefined()
  })

  test('that one person broke alone does not count against the account', async () => {
    const { call, stateOf, settled } = balancing([backend('a')])
    for (const model of [OPUS, SONNET, HAIKU]) {
      for (let i = 0; i < 5; i++) await call(FAILED, { model, person: ANN })
    }
    await settled()
    expect(stateOf('a')).toBe('healthy')
  })

  test('that nobody lists never counts against the account', async () => {
    const { eject, stateOf, settled } = balancing([backend('a')])
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
    const here = balancing([backend('a')], { clock, store })
    const there = balancing([backend('a')], { clock, store })
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
    const { call, eject, clock, balancer, wanted } = balancing([backend('a')])
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
  const { balancer, eject, clock, wanted } = balancing([backend('a')])
  await eject('a')
  clock.advance(30_000)
  const counting = { ...wanted({ person: 9 }), teachesNothing: true }
  expect(await balancer.select(counting, new Set())).toBeUndefined()
  expect(await balancer.tryAnyway(counting)).toMatchObject({ selection: { backend: { name: 'a' } } })
})

describe('when no backend of a model is usable', () => {
  test('four people are tried at the same time, and one person once', async () => {
    const { balancer, eject, wanted, clock } = balancing([backend('a')])
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
    const { balancer, eject, wanted, clock } = balancing([backend('a')])
    await eject('a')
    balancer.keepRefusal(backend('a'), OPUS, { status: 529, type: 'overloaded_error', retryAt: undefined })
    for (const person of [11, 12, 13, 14]) await balancer.tryAnyway(wanted({ person }))
    expect(await balancer.tryAnyway(wanted({ person: 15 }))).toMatchObject({ refusal: { status: 529 } })
    clock.advance(4_999)
    expect(await balancer.tryAnyway(wanted({ person: 15 }))).toMatchObject({ refusal: { status: 529 } })
  })

  test('a call waits for one that is being tried, and goes where that one opened the way', async () => {
    const { balancer, eject, wanted } = balancing([backend('a')])
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
    const { balancer, wanted } = balancing([backend('a')])
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
    const here = balancing([backend('a'), backend('b')], { clock, store })
    const there = balancing([backend('a'), backend('b')], { clock, store })
    for (let i = 0; i < 5; i++) await here.call(UNREACHABLE, { boundTo: 'a' })
    await Promise.all([here.balancer.refresh(), there.balancer.refresh()])
    expect([here.stateOf('a'), there.stateOf('a')]).toEqual(['ejected', 'healthy'])
  })
  test('says nothing about a backend when none can be reached', () => {
    const { balancer } = balancing([backend('a'), backend('b')])
    expect(balancer.judged(backend('a'), UNREACHABLE).kind).toBe('account_unreachable')
    expect(balancer.judged(backend('b'), UNREACHABLE).kind).toBe('ours')
  })
  test('counts again once any other was reached', () => {
    const { balancer, clock } = balancing([backend('a'), backend('b')])
    balancer.judged(backend('a'), UNREACHABLE)
    clock.advance(5_001)
    expect(balancer.judged(backend('b'), UNREACHABLE).kind).toBe('account_unreachable')
  })
})

describe('a reload', () => {
  test('keeps health, conversations and calls in flight of backends that stay', async () => {
    const { balancer, build, eject, select, call } = balancing([backend('a'), backend('b')])
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
    const { build, eject } = balancing([backend('a'), backend('b')])
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
    const { eject, modelOf, call, logger } = balancing([backend('a'), backend('b')], { store: broken })
    await eject('a')
    expect(modelOf('a')?.state).toBe('ejected')
    for (let i = 0; i < 20; i++) expect(await call(SERVED, { conversation: `s${i}` })).toBe('b')
    expect(logger.lines.some(({ event }) => event === 'health.store_failed')).toBe(true)
  })
  test('adds up what several processes saw', async () => {
    const clock = fakeClock()
    const store = memoryHealth()
    const here = balancing([backend('a')], { clock, store })
    const there = balancing([backend('a')], { clock, store })
    for (let i = 0; i < 3; i++) await here.call(FAILED, { person: ANN })
    await there.balancer.refresh()
    for (let i = 0; i < 2; i++) await there.call(FAILED, { person: BOB })
    await here.balancer.refresh()
    expect(here.modelOf('a')?.state).toBe('ejected')
  })
})

test('a model that a backend says it does not offer is asked for by a call of our own', async () => {
  const { call, checked, modelOf } = balancing([backend('a')])
  await call({ kind: 'model_not_offered', reason: 'answered 403' })
  expect([checked, modelOf('a')]).toEqual([[`a ${OPUS}`], undefined])
})
