import { expect, test } from 'vitest'
import { oneLookAtATime } from '../../core/looking.ts'
import { fakeClock } from '../support/clock.ts'

/** Looks that end when they are told to. */
function looks() {
  const ends: (() => void)[] = []
  const clock = fakeClock()
  const look = oneLookAtATime(() => new Promise<void>((end) => ends.push(end)), {
    clock,
    waitUntil: () => {},
  })
  return { clock, ends, look }
}

test('who asks during a look gets one that starts afterwards', async () => {
  const { ends, look } = looks()
  const [first, second, third] = [look(), look(), look()]
  expect(ends).toHaveLength(1)
  ends[0]?.()
  await first
  await expect.poll(() => ends).toHaveLength(2)
  ends[1]?.()
  await Promise.all([second, third])
  expect(ends).toHaveLength(2)
})

test('a look that never ends is not waited for by those who ask half a minute later', async () => {
  const { clock, ends, look } = looks()
  void look()
  void look()
  clock.advance(30_000)
  const later = look()
  expect(ends).toHaveLength(2)
  ends[1]?.()
  await later
  // One that ends after all is nobody's any more.
  const another = look()
  ends[0]?.()
  ends[2]?.()
  await another
})
