import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../../adapters/drivers/health/memory.ts'
import { BOB, backend, HAIKU, OPUS } from '../../support/backends.ts'
import { balancing, SERVED } from '../../support/balancing.ts'
import { fakeClock } from '../../support/clock.ts'

describe('choosing a backend', () => {
  test('keeps a conversation where it is', async () => {
    const { call } = balancing([backend('a'), backend('b'), backend('c')])
    for (let i = 0; i < 200; i++) {
      const first = await call(SERVED, { conversation: `s${i}` })
      expect(await call(SERVED, { conversation: `s${i}` })).toBe(first)
    }
  })

  test('gives a call without a conversation to backends by chance', async () => {
    const { call } = balancing([backend('a'), backend('b')])
    const names = new Set<string | undefined>()
    for (let i = 0; i < 50; i++) names.add(await call(SERVED))
    expect(names).toEqual(new Set(['a', 'b']))
  })

  test('never chooses what is switched off, drained, tried already or does not serve the model', async () => {
    const { select, balancer } = balancing([
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
    const { select, eject } = balancing([backend('a'), backend('b', { weight: 0 })])
    for (let i = 0; i < 20; i++)
      expect((await select({ conversation: `s${i}`, boundTo: 'b' }))?.backend.name).toBe('b')
    await eject('b')
    expect(await select({ boundTo: 'b' })).toBeUndefined()
  })

  test('weight 0 drains: conversations stay until they are idle, new ones go elsewhere', async () => {
    const { balancer, call, clock } = balancing([backend('a'), backend('b')])
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
    const { select, balancer } = balancing([backend('a')])
    const selections = [await select(), await select()]
    expect(balancer.views()[0]?.inFlight).toBe(2)
    for (const selection of selections) selection?.done(SERVED)
    expect(balancer.views()[0]?.inFlight).toBe(0)
  })
})

describe('a conversation that was moved', () => {
  test('stays where it went until it is idle, then goes home', async () => {
    const { call, eject, clock } = balancing([backend('a'), backend('b'), backend('c')])
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
    const here = balancing([backend('a'), backend('b')], { clock, store })
    const ids = Array.from({ length: 40 }, (_, i) => `s${i}`)
    await here.eject('a')
    const went = new Map<string, string | undefined>()
    for (const conversation of ids) went.set(conversation, await here.call(SERVED, { conversation }))
    await here.balancer.refresh()
    clock.advance(60_000)
    const there = balancing([backend('a'), backend('b')], { clock, store })
    await there.balancer.refresh()
    await there.call(SERVED, { boundTo: 'a', person: BOB })
    for (const conversation of ids)
      expect(await there.call(SERVED, { conversation })).toBe(went.get(conversation))
  })
})
