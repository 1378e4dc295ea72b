import { describe, expect, test } from 'vitest'
import type { Failure } from '../../../core/calls/verdict.ts'
import { ANN, BOB, backend, HAIKU, OPUS, SONNET } from '../../support/backends.ts'
import { balancing, FAILED, SERVED } from '../../support/balancing.ts'

const A = backend('a')
const REFUSED = { kind: 'account_refused', reason: 'answered 401' } as const
const UNREACHABLE: Failure = { kind: 'account_unreachable', reason: 'network error (ECONNREFUSED)' }
const notOffered = (scene: ReturnType<typeof balancing>, name: string, model = OPUS) =>
  scene.balancer.memory.shared.record(`${name} ${model}`, {
    kind: 'not_offered',
    at: scene.clock.now(),
    reason: 'x',
  })

describe('whether a model', () => {
  test('is served depends on what backends are for', () => {
    const { balancer } = balancing([
      backend('a', { models: [HAIKU] }),
      backend('b', { models: [OPUS], enabled: false }),
    ])
    expect([HAIKU, OPUS, SONNET].map(balancer.serves)).toEqual([true, true, false])
  })

  test('is offered depends on what backends that are switched on say', () => {
    const scene = balancing([A, backend('b'), backend('off', { enabled: false })])
    notOffered(scene, 'a')
    expect([scene.balancer.offers(OPUS), scene.balancer.offers(SONNET)]).toEqual([true, true])
    notOffered(scene, 'b')
    expect([scene.balancer.offers(OPUS), scene.balancer.offers(SONNET)]).toEqual([false, true])
  })
})

describe('why no backend can be tried', () => {
  test('is that each is disabled, or that none offers the model', () => {
    const scene = balancing([A, backend('b')])
    const why = (model = OPUS) => scene.balancer.whyNone(scene.wanted({ model }))
    expect(why()).toBe('unusable')
    scene.balancer.disable(A, REFUSED)
    expect(why()).toBe('unusable')
    notOffered(scene, 'b')
    expect([why(), why(SONNET)]).toEqual(['disabled', 'unusable'])
    const none = balancing([A])
    notOffered(none, 'a')
    expect(none.balancer.whyNone(none.wanted({}))).toBe('unavailable')
  })

  test('is nothing of these where there is none', () => {
    const { balancer, wanted } = balancing([backend('a', { models: [HAIKU] })])
    expect(balancer.whyNone(wanted({}))).toBe('unusable')
  })
})

describe('what a backend did lately', () => {
  test('is whether it gave anybody a first byte of this model since', async () => {
    const { balancer, clock, call } = balancing([A])
    clock.advance(10)
    expect(balancer.answeredSince(A, OPUS, 0)).toBe(false)
    await call(SERVED)
    expect([10, 11].map((since) => balancer.answeredSince(A, OPUS, since))).toEqual([true, false])
    expect(balancer.answeredSince(A, SONNET, 0)).toBe(false)
  })

  test('counts for a call that must not wait again', async () => {
    const { balancer, clock, call, wanted } = balancing([A, backend('b')])
    const answering = async () => (await balancer.select(wanted({}), new Set(), true))?.backend.name
    expect(await answering()).toBeUndefined()
    await call(SERVED, { boundTo: 'b', model: SONNET })
    expect(await answering()).toBe('b')
    clock.advance(120_000)
    expect(await answering()).toBe('b')
    clock.advance(1)
    expect(await answering()).toBeUndefined()
  })
})

describe('a verdict that no connection came about', () => {
  test('is about this machine where no backend that is switched on was reached lately', () => {
    const { balancer, clock } = balancing([A, backend('b'), backend('off', { enabled: false })])
    expect(balancer.judged(A, UNREACHABLE)).toBe(UNREACHABLE)
    clock.advance(5_000)
    expect(balancer.judged(backend('b'), UNREACHABLE)).toEqual({
      kind: 'ours',
      reason: 'no backend can be reached: network error (ECONNREFUSED)',
    })
    expect(balancer.judged(A, { kind: 'foreign', reason: 'x' })).toEqual({ kind: 'foreign', reason: 'x' })
    expect(balancer.judged(backend('b'), UNREACHABLE)).toBe(UNREACHABLE)
  })

  test('is about the address, whatever the backends are called', () => {
    const twins = [backend('a', { url: 'https://x.test' }), backend('b', { url: 'https://x.test' })]
    const { balancer } = balancing(twins)
    expect(balancer.judged(twins[0] ?? A, UNREACHABLE).kind).toBe('ours')
  })
})

describe('a change of an administrator', () => {
  test('is made to a backend that is there', async () => {
    const settings = [A, backend('b')]
    const { balancer, select } = balancing(settings)
    expect(balancer.adjust('x', { enabled: false })).toBe(false)
    expect(balancer.adjust('a', { enabled: false })).toBe(true)
    for (let i = 0; i < 20; i++) expect((await select())?.backend.name).toBe('b')
    balancer.adjust('a', { enabled: true, weight: 7 })
    balancer.adjust('a', {})
    expect(balancer.views()[0]?.backend).toMatchObject({ enabled: true, weight: 7 })
    // The settings themselves stay as they were.
    expect(settings[0]).toEqual(A)
  })

  test('opens account and models of a backend half, and of no other', async () => {
    const { balancer, eject, stateOf, modelOf, clock } = balancing([A, backend('b')])
    await eject('a')
    await eject('b')
    balancer.disable(A, REFUSED)
    balancer.memory.local.record('a', { kind: 'ejected', at: clock.now(), reason: 'x' })
    balancer.reopen('a')
    expect([stateOf('a'), modelOf('a')?.state, modelOf('b')?.state]).toEqual([
      'half_open',
      'half_open',
      'ejected',
    ])
    const { shared, local } = balancer.memory
    expect([shared.get('a')?.until, local.get('a')?.until]).toEqual([clock.now(), clock.now()])
  })
})

describe('a call', () => {
  test('is one of a person alone where nobody else called in the last minute', async () => {
    const { call, clock, modelOf } = balancing([A])
    await call(SERVED, { person: BOB })
    clock.advance(60_000)
    for (let i = 0; i < 5; i++) await call(FAILED, { person: ANN })
    expect(modelOf('a')?.state).toBe('failing')
    clock.advance(1)
    await call(FAILED, { person: ANN })
    expect(modelOf('a')?.state).toBe('ejected')
  })

  test('that counts tokens makes nobody less alone', async () => {
    const { balancer, call, modelOf, wanted } = balancing([A])
    await balancer.select({ ...wanted({ person: BOB }), teachesNothing: true }, new Set())
    for (let i = 0; i < 5; i++) await call(FAILED, { person: ANN })
    expect(modelOf('a')?.state).toBe('ejected')
  })

  test('of which nothing can be learned changes nothing', async () => {
    const { select, balancer } = balancing([A])
    const selection = await select()
    selection?.done(undefined)
    expect([balancer.memory.shared.size(), balancer.views()[0]?.inFlight]).toEqual([0, 0])
  })

  test('without a conversation goes nowhere in particular', async () => {
    const { call, balancer } = balancing([A])
    await call(SERVED)
    expect(balancer.memory.affinity.unstored()).toEqual([])
  })

  test('that is the half-open one opens its model with its first byte, before it ends', async () => {
    const { select, eject, clock, modelOf } = balancing([A])
    await eject('a')
    clock.advance(30_000)
    const selection = await select({ person: 9 })
    expect(modelOf('a')?.state).toBe('half_open')
    selection?.firstByte()
    expect(modelOf('a')?.state).toBe('failing')
  })

  test('that is the half-open one and fails makes the wait longer', async () => {
    const { call, eject, clock, modelOf } = balancing([A])
    await eject('a')
    clock.advance(30_000)
    await call(FAILED, { person: 9 })
    expect(modelOf('a')?.until).toBe(clock.now() + 60_000)
  })
})

describe('a half-open backend', () => {
  test('that another process tries is left to it, and the call goes elsewhere', async () => {
    const clock = balancing([A]).clock
    const { memory } = balancing([A], { clock }).balancer
    const here = balancing([backend('a', { weight: 1_000 }), backend('b')], { clock, store: memory.store })
    const there = balancing([A], { clock, store: memory.store })
    await here.eject('a')
    clock.advance(30_000)
    await there.balancer.refresh()
    expect((await there.select({ person: 8 }))?.backend.name).toBe('a')
    expect((await here.select({ person: 9, conversation: 's' }))?.backend.name).toBe('b')
  })

  test('gets a conversation that is its own, and no others while there is another one', async () => {
    const { select, eject, clock, call } = balancing([A, backend('b')])
    const ids = Array.from({ length: 20 }, (_, i) => `s${i}`)
    const homes = new Map<string, string | undefined>()
    for (const conversation of ids) homes.set(conversation, await call(SERVED, { conversation }))
    const [ofA, ofB] = ['a', 'b'].map((name) => ids.find((id) => homes.get(id) === name))
    clock.advance(300_001)
    await eject('a')
    clock.advance(30_000)
    expect((await select({ conversation: ofB, person: 9 }))?.backend.name).toBe('b')
    expect((await select({ conversation: ofA, person: 9 }))?.backend.name).toBe('a')
    // One call at a time.
    expect((await select({ conversation: ofA, person: 8 }))?.backend.name).toBe('b')
  })

  test('is not tried by who failed there last, unless nobody else called for a minute', async () => {
    const { call, eject, clock } = balancing([A])
    await eject('a')
    clock.advance(30_000)
    await call(FAILED, { person: 9 })
    clock.advance(60_000)
    // The others called 90 seconds ago.
    expect(await call(FAILED, { person: 9 })).toBe('a')
  })
})

describe('a last try', () => {
  test('is at a backend that is out, and not at one that is drained or disabled', async () => {
    const scene = balancing([backend('drained', { weight: 0 }), backend('disabled'), A])
    const { balancer, eject, wanted } = scene
    for (const name of ['drained', 'a']) await eject(name)
    balancer.disable(backend('disabled'), REFUSED)
    const found = await balancer.tryAnyway(wanted({ person: 9 }))
    expect(found).toMatchObject({ selection: { backend: { name: 'a' }, isLastResort: true } })
    const bound = await balancer.tryAnyway(wanted({ person: 9, boundTo: 'drained' }))
    expect(bound).toMatchObject({ selection: { backend: { name: 'drained' } } })
  })

  test('is none where all is well or nothing is there', async () => {
    const { balancer, wanted } = balancing([backend('a', { models: [OPUS] })])
    expect(await balancer.tryAnyway(wanted({}))).toBeUndefined()
    expect(await balancer.tryAnyway(wanted({ model: SONNET }))).toBeUndefined()
  })

  test('opens the model for all with its first byte, and gives its place back', async () => {
    const { balancer, eject, wanted, modelOf, select } = balancing([A])
    await eject('a')
    const found = await balancer.tryAnyway(wanted({ person: 9 }))
    if (!found || !('selection' in found)) throw new Error('nothing to try')
    expect(balancer.memory.tries.underWay(`a ${OPUS}`)).toBe(true)
    found.selection.firstByte()
    expect([modelOf('a')?.state, balancer.memory.tries.underWay(`a ${OPUS}`)]).toEqual(['failing', false])
    expect((await select())?.isLastResort).toBe(false)
  })

  test('gives its place back when it fails, and is none that is half-open', async () => {
    const { balancer, eject, wanted, modelOf } = balancing([A])
    await eject('a')
    const until = modelOf('a')?.until
    const found = await balancer.tryAnyway(wanted({ person: 9 }))
    if (found && 'selection' in found) found.selection.done(FAILED)
    expect([modelOf('a')?.until, balancer.memory.tries.underWay(`a ${OPUS}`)]).toEqual([until, false])
  })

  test('takes one place where a model cools down', async () => {
    const { balancer, call, wanted, clock } = balancing([A])
    await call({ kind: 'pair_cooldown', reason: 'answered 429', untilMs: clock.now() + 60_000 })
    expect(await balancer.tryAnyway(wanted({ person: 8 }))).toHaveProperty('selection')
    const waiting = balancer.tryAnyway(wanted({ person: 9 }))
    clock.advance(2_000)
    expect(await waiting).toBeUndefined()
  })

  test('that others wait for is heard of when it fails', async () => {
    const { balancer, call, wanted, clock } = balancing([A])
    await call({ kind: 'pair_cooldown', reason: 'answered 429', untilMs: clock.now() + 60_000 })
    const found = await balancer.tryAnyway(wanted({ person: 8 }))
    const waiting = balancer.tryAnyway(wanted({ person: 9 }))
    const refusal = { status: 429, type: 'rate_limit_error', retryAt: undefined }
    balancer.keepRefusal(A, OPUS, refusal)
    if (found && 'selection' in found) found.selection.done(undefined)
    expect(await waiting).toEqual({ refusal })
  })

  test('that ended without a word makes room for who waited', async () => {
    const { balancer, call, wanted, clock } = balancing([A])
    await call({ kind: 'pair_cooldown', reason: 'answered 429', untilMs: clock.now() + 60_000 })
    const found = await balancer.tryAnyway(wanted({ person: 8 }))
    const waiting = balancer.tryAnyway(wanted({ person: 9 }))
    if (found && 'selection' in found) found.selection.done(undefined)
    expect(await waiting).toHaveProperty('selection')
  })
})
