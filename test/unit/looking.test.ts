import { expect, test } from 'vitest'
import { lookAfterCommits, oneLookAtATime } from '../../core/looking.ts'
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

test('a look at the database is left out while nothing was committed since the last that went well', async () => {
  let commit: string | undefined = 'first'
  let looks = 0
  let fails = false
  const look = lookAfterCommits(
    async () => {
      looks += 1
      if (fails) throw new Error('away')
    },
    () => commit,
  )
  await look()
  await look()
  expect(looks).toBe(1)
  commit = 'second'
  fails = true
  await expect(look()).rejects.toThrow('away')
  fails = false
  await look()
  await look()
  expect(looks).toBe(3)
  // Where nobody can tell, each one looks.
  commit = undefined
  await look()
  await look()
  expect(looks).toBe(5)
})

test('what is committed during a look is seen by the next one', async () => {
  let commit = 'first'
  let looks = 0
  const look = lookAfterCommits(
    async () => {
      looks += 1
      commit = 'second'
    },
    () => commit,
  )
  for (const _ of [1, 2, 3]) await look()
  expect(looks).toBe(2)
})
