import { expect, test } from 'vitest'
import { atOnce, createTurns, inTurns } from '../../core/steps.ts'
import { fakeClock } from '../support/clock.ts'

const clock = fakeClock()
/** Steps of 2 ms each. */
function* working(steps: number, done: () => string): Generator<void, string> {
  for (let step = 0; step < steps; step++) {
    clock.advance(2)
    yield
  }
  return done()
}
const failed = (): string => {
  throw new Error('it broke')
}

test('work that takes less than a turn is not waited for', () => {
  expect(
    inTurns(
      working(2, () => 'all'),
      clock,
    ),
  ).toBe('all')
  expect(() => inTurns(working(2, failed), clock)).toThrow('it broke')
})

test('longer work lets others have their turn', async () => {
  const answer = inTurns(
    working(10, () => 'all'),
    clock,
  )
  const waits: number[] = []
  for (let turn = 0; turn < 5 && clock.timers() > 0; turn++) {
    waits.push(clock.timers())
    clock.advance(0)
    await Promise.resolve()
  }
  expect([await answer, waits.length]).toEqual(['all', 3])
  const broken = inTurns(working(3, failed), clock)
  clock.advance(0)
  await expect(broken).rejects.toThrow('it broke')
})

test('work that nobody waits beside is done at once', () => {
  expect(atOnce(working(10, () => 'all'))).toBe('all')
})

test('steps that wait for nothing let others have their turn after five milliseconds', async () => {
  const turn = createTurns(clock)
  const waits: number[] = []
  for (let step = 1; step <= 9; step++) {
    clock.advance(2)
    const wait = turn()
    if (!wait) continue
    waits.push(step)
    clock.advance(0)
    await wait
  }
  expect(waits).toEqual([3, 6, 9])
})
