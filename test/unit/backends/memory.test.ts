import { describe, expect, test } from 'vitest'
import { keysOf } from '../../../core/backends/memory.ts'
import { ANN, backend, backendMemory, HEALTH, OPUS } from '../../support/backends.ts'

const LISTING = { models: [{ id: OPUS }], readAt: 0, answered: true }

function setUp() {
  const { memory, clock } = backendMemory()
  memory.adopt([backend('a'), backend('b')], HEALTH)
  for (const name of ['a', 'b']) {
    memory.listings.set(name, LISTING)
    for (const key of [name, `${name} ${OPUS}`]) {
      memory.shared.record(key, { kind: 'ejected', at: clock.now(), reason: 'x' })
      memory.local.record(key, { kind: 'ejected', at: clock.now(), reason: 'x' })
    }
  }
  const statesOf = (name: string) =>
    [memory.shared, memory.local].flatMap((book) =>
      [name, `${name} ${OPUS}`].map((key) => book.get(key)?.state),
    )
  return { memory, clock, statesOf }
}

describe('settings that are put in force', () => {
  test('know every backend as new at first, and none again', () => {
    const { memory } = setUp()
    expect([...memory.newcomers]).toEqual(['a', 'b'])
    memory.adopt([backend('a'), backend('b', { weight: 9 })], HEALTH)
    expect([...memory.newcomers]).toEqual([])
  })

  test.each([{ url: 'https://x.test' }, { apiKey: 'x' }, { speaksOpenAi: true }])(
    'with %j make a backend new, whose health and list no longer hold',
    (change) => {
      const { memory, statesOf } = setUp()
      memory.adopt([backend('a', change), backend('b')], HEALTH)
      expect([...memory.newcomers]).toEqual(['a'])
      expect([memory.listings.get('a'), memory.listings.get('b')]).toEqual([undefined, LISTING])
      expect(statesOf('a')).toEqual(['healthy', 'healthy', 'healthy', 'healthy'])
      expect(statesOf('b')).toEqual(['ejected', 'ejected', 'ejected', 'ejected'])
    },
  )

  test('leave alone what a store tells of a backend that was not there before', () => {
    const { memory, statesOf, clock } = setUp()
    memory.shared.record('c', { kind: 'ejected', at: clock.now(), reason: 'x' })
    memory.adopt([backend('a'), backend('b'), backend('c')], HEALTH)
    expect([memory.newcomers.has('c'), statesOf('c')[0]]).toEqual([true, 'ejected'])
  })

  test('count failures as they say from then on', () => {
    const { memory, clock } = setUp()
    const fail = (key: string) => {
      const event = {
        kind: 'failed',
        at: clock.now(),
        person: ANN,
        alone: true,
        trial: false,
        reason: 'x',
      } as const
      return memory.local.record(key, event)?.after.state
    }
    expect(fail('c x')).toBe('healthy')
    memory.adopt([], { ...HEALTH, failureThreshold: 2 })
    expect(fail('c x')).toBe('ejected')
  })
})

test('the keys of an account are its own and those of its models', () => {
  const { memory } = setUp()
  expect(keysOf(memory.shared, 'a')).toEqual(['a', `a ${OPUS}`])
})
