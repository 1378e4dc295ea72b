import { describe, expect, test } from 'vitest'
import type { HeaderPairs } from '../../../core/ports.ts'
import { backend } from '../../support/backends.ts'
import { balancing, SERVED } from '../../support/balancing.ts'

const limits = (remaining: number): HeaderPairs => [
  ['anthropic-ratelimit-requests-limit', '1000'],
  ['anthropic-ratelimit-requests-remaining', '900'],
  ['anthropic-ratelimit-input-tokens-limit', '100000'],
  ['anthropic-ratelimit-input-tokens-remaining', String(remaining)],
]
const places = async (call: ReturnType<typeof balancing>['call'], from = 0) => {
  const names = new Set<string | undefined>()
  for (let i = from; i < from + 30; i++) names.add(await call(SERVED, { conversation: `s${i}` }))
  return [...names].toSorted()
}

describe('a backend of a lower priority', () => {
  test('gets no conversation while one of a higher priority is usable, whatever the weights', async () => {
    const { call } = balancing([backend('low', { weight: 100 }), backend('high', { priority: 1, weight: 1 })])
    expect(await places(call)).toEqual(['high'])
  })

  test('gets them while all others are out, and keeps those until they are idle', async () => {
    const { call, eject, clock } = balancing([
      backend('low'),
      backend('high', { priority: 5 }),
      backend('higher', { priority: 5 }),
    ])
    await eject('high')
    await eject('higher')
    expect(await places(call)).toEqual(['low'])
    clock.advance(35_000)
    // The half-open calls bring the others back.
    for (let i = 100; i < 110; i++) await call(SERVED, { conversation: `s${i}` })
    expect(await call(SERVED, { conversation: 's1' })).toBe('low')
    clock.advance(300_001)
    expect(await call(SERVED, { conversation: 's1' })).not.toBe('low')
  })

  test('among equals, weights decide', async () => {
    const { call } = balancing([backend('a', { priority: 2 }), backend('b', { priority: 2 }), backend('c')])
    expect(await places(call)).toEqual(['a', 'b'])
  })
})

describe('an account of which a rate limit is nearly used up', () => {
  test('gets no new conversation, and keeps those that it has', async () => {
    const { call, select, clock } = balancing([backend('a'), backend('b')])
    const ids = Array.from({ length: 30 }, (_, i) => `old ${i}`)
    const before = new Map<string, string | undefined>()
    for (const conversation of ids) before.set(conversation, await call(SERVED, { conversation }))
    const selection = await select({ boundTo: 'a' })
    selection?.heard(limits(4_000))
    selection?.done(SERVED)
    expect(await places(call)).toEqual(['b'])
    for (const conversation of ids)
      expect(await call(SERVED, { conversation })).toBe(before.get(conversation))
    clock.advance(10_001)
    expect(await places(call, 100)).toEqual(['a', 'b'])
  })

  test('gets them again as soon as an answer says so, and while no other account has room', async () => {
    const { call, select, clock } = balancing([backend('a'), backend('b')])
    const hear = async (name: string, remaining: number) => {
      const selection = await select({ boundTo: name })
      selection?.heard(limits(remaining))
      selection?.done(SERVED)
    }
    await hear('a', 0)
    await hear('b', 0)
    expect(await places(call)).toEqual(['a', 'b'])
    clock.advance(600)
    await hear('a', 50_000)
    expect(await places(call, 100)).toEqual(['a'])
  })

  test('hands over to one of a lower priority', async () => {
    const { call, select } = balancing([backend('low'), backend('high', { priority: 1 })])
    const selection = await select({ boundTo: 'high' })
    selection?.heard(limits(100))
    selection?.done(SERVED)
    expect(await places(call)).toEqual(['low'])
  })

  test.each([
    ['no limits', []],
    [
      'limits without numbers',
      [
        ['anthropic-ratelimit-tokens-limit', 'x'],
        ['anthropic-ratelimit-tokens-remaining', 'y'],
      ],
    ],
    [
      'a limit of nothing',
      [
        ['anthropic-ratelimit-tokens-limit', '0'],
        ['anthropic-ratelimit-tokens-remaining', '0'],
      ],
    ],
    ["a subscription's limits", [['anthropic-ratelimit-unified-5h-utilization', '0.99']]],
  ] satisfies [string, HeaderPairs][])('is not taken from an answer with %s', async (_what, headers) => {
    const { call, select } = balancing([backend('a'), backend('b')])
    const selection = await select({ boundTo: 'a' })
    selection?.heard(headers)
    selection?.done(SERVED)
    expect(await places(call)).toEqual(['a', 'b'])
  })
})
