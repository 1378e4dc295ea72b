import { describe, expect, test } from 'vitest'
import { createTries } from '../../../core/backends/tries.ts'
import { fakeClock } from '../../support/clock.ts'

const PAIR = 'a claude-opus-5-5'
const OTHER = 'b claude-opus-5-5'
const REFUSAL = { status: 529, type: 'overloaded_error', retryAt: undefined }

function setUp() {
  const clock = fakeClock()
  return { clock, tries: createTries(clock) }
}
/** Whether the promise is settled once all that is due has run. */
async function isOver(promise: Promise<unknown>): Promise<boolean> {
  let over = false
  void promise.then(() => {
    over = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  return over
}

describe('places', () => {
  test.each([
    ['ejected', 4],
    ['cooling_down', 1],
  ] as const)('of a pair that is %s: %i, each for another person', (standing, most) => {
    const { tries } = setUp()
    const taken = Array.from({ length: 6 }, (_, person) => tries.take(PAIR, person, standing))
    expect(taken.map((place) => place !== undefined)).toEqual(taken.map((_, i) => i < most))
  })

  test('are counted for each pair', () => {
    const { tries } = setUp()
    tries.take(PAIR, 1, 'cooling_down')
    expect(tries.take(OTHER, 1, 'cooling_down')).toBeDefined()
  })

  test('go to each person once', () => {
    const { tries } = setUp()
    tries.take(PAIR, 1, 'ejected')
    expect(tries.take(PAIR, 1, 'ejected')).toBeUndefined()
    expect(tries.take(PAIR, 2, 'ejected')).toBeDefined()
  })

  test('are free again once given back', () => {
    const { tries } = setUp()
    const giveBack = tries.take(PAIR, 1, 'cooling_down')
    expect(tries.underWay(PAIR)).toBe(true)
    giveBack?.()
    expect(tries.underWay(PAIR)).toBe(false)
    expect(tries.take(PAIR, 1, 'cooling_down')).toBeDefined()
  })

  test('are free again after five seconds, because a call may hang', () => {
    const { tries, clock } = setUp()
    const late = tries.take(PAIR, 1, 'cooling_down')
    clock.advance(4_999)
    expect([tries.underWay(PAIR), tries.take(PAIR, 2, 'cooling_down')]).toEqual([true, undefined])
    clock.advance(1)
    expect(tries.underWay(PAIR)).toBe(false)
    const next = tries.take(PAIR, 1, 'cooling_down')
    expect(next).toBeDefined()
    // The hanging call's end gives back no place that is another call's by now.
    late?.()
    expect(tries.underWay(PAIR)).toBe(true)
    next?.()
    expect(tries.underWay(PAIR)).toBe(false)
  })

  test('that were given back twice are only one', () => {
    const { tries } = setUp()
    const first = tries.take(PAIR, 1, 'ejected')
    first?.()
    for (const person of [2, 3, 4, 5]) tries.take(PAIR, person, 'ejected')
    first?.()
    expect(tries.take(PAIR, 6, 'ejected')).toBeUndefined()
  })

  test('nobody took are not under way', () => {
    expect(setUp().tries.underWay(PAIR)).toBe(false)
  })
})

describe('waiting for the next end', () => {
  test('ends when a place at any of the pairs is given back', async () => {
    const { tries } = setUp()
    const giveBack = tries.take(OTHER, 1, 'ejected')
    const waiting = tries.nextEnd([PAIR, OTHER], 2_000)
    expect(await isOver(waiting)).toBe(false)
    giveBack?.()
    expect(await isOver(waiting)).toBe(true)
  })

  test('ends for everybody who waits', async () => {
    const { tries } = setUp()
    const giveBack = tries.take(PAIR, 1, 'ejected')
    const waiting = [tries.nextEnd([PAIR], 2_000), tries.nextEnd([PAIR], 3_000)]
    giveBack?.()
    expect(await Promise.all(waiting.map(isOver))).toEqual([true, true])
  })

  test('ends after the time, whoever still waits', async () => {
    const { tries, clock } = setUp()
    const giveBack = tries.take(PAIR, 1, 'ejected')
    const [short, long] = [tries.nextEnd([PAIR], 1_000), tries.nextEnd([PAIR], 9_000)]
    clock.advance(999)
    expect(await isOver(short)).toBe(false)
    clock.advance(1)
    expect([await isOver(short), await isOver(long)]).toEqual([true, false])
    giveBack?.()
    expect(await isOver(long)).toBe(true)
  })

  test('leaves no timer behind', async () => {
    const { tries, clock } = setUp()
    const giveBack = tries.take(PAIR, 1, 'ejected')
    const waiting = tries.nextEnd([PAIR], 1_000)
    expect(clock.timers()).toBe(1)
    giveBack?.()
    await waiting
    expect(clock.timers()).toBe(0)
  })

  test('goes on while a place elsewhere is given back', async () => {
    const { tries } = setUp()
    const giveBack = tries.take(OTHER, 1, 'ejected')
    const waiting = tries.nextEnd([PAIR], 1_000)
    giveBack?.()
    expect(await isOver(waiting)).toBe(false)
  })
})

describe('the refusal that others hear', () => {
  test('is the newest of the pairs', () => {
    const { tries, clock } = setUp()
    tries.keep(OTHER, { ...REFUSAL, status: 500 })
    clock.advance(1)
    tries.keep(PAIR, REFUSAL)
    expect(tries.kept([OTHER, PAIR])).toEqual(REFUSAL)
    expect(tries.kept([PAIR, OTHER])).toEqual(REFUSAL)
    expect(tries.kept([OTHER])).toMatchObject({ status: 500 })
  })

  test('is kept for ten seconds', () => {
    const { tries, clock } = setUp()
    clock.advance(60_000)
    tries.keep(PAIR, REFUSAL)
    clock.advance(10_000)
    expect(tries.kept([PAIR])).toEqual(REFUSAL)
    clock.advance(1)
    expect(tries.kept([PAIR])).toBeUndefined()
  })

  test('is none where nobody was refused', () => {
    const { tries } = setUp()
    tries.keep(PAIR, REFUSAL)
    expect([tries.kept([OTHER]), tries.kept([])]).toEqual([undefined, undefined])
  })
})
