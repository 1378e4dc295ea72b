import { expect, test } from 'vitest'
import { createFairQueue } from '../../../core/telemetry/fair-queue.ts'

const entry = (userId: number, one: string, bytes = 10) => ({ userId, one, bytes })
const names = (queued: readonly { one: string }[]) => queued.map(({ one }) => one)

test('people are served by turns, each from their oldest', () => {
  const queue = createFairQueue<string>(1000)
  for (const one of ['a1', 'a2', 'a3']) queue.add(entry(1, one))
  for (const one of ['b1', 'b2']) queue.add(entry(2, one))
  const served = Array.from({ length: 6 }, () => queue.next()?.one)
  expect(served).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', undefined])
})

test('when it is full, the oldest of whoever has most falls out, and others lose nothing', () => {
  const queue = createFairQueue<string>(100)
  for (let i = 0; i < 10; i++) expect(queue.add(entry(1, `a${i}`))).toEqual([])
  expect(names(queue.add(entry(2, 'b0')))).toEqual(['a0'])
  expect(names(queue.add(entry(1, 'a10')))).toEqual(['a1'])
  expect(names(queue.add(entry(2, 'b1', 30)))).toEqual(['a2', 'a3', 'a4'])
  const served = Array.from({ length: 8 }, () => queue.next()?.one)
  expect(served.filter((one) => one?.startsWith('b'))).toEqual(['b0', 'b1'])
})

test('what is larger than all of it falls out itself', () => {
  const queue = createFairQueue<string>(100)
  expect(names(queue.add(entry(1, 'huge', 101)))).toEqual(['huge'])
  expect(queue.next()).toBeUndefined()
  expect(queue.add(entry(1, 'small'))).toEqual([])
})
