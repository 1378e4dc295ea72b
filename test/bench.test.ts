/** What the bench tells: its arithmetic, and that the README has its figures. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { quantile } from './bench/measure.ts'
import { readResults, withTable } from './bench/results.ts'
import { byTurns, summarize } from './bench/rounds.ts'

test('the figures in the README are those of the last full run', () => {
  const readme = readFileSync('README.md', 'utf8')
  expect(withTable(readme, readResults('test/bench/results.json'))).toBe(readme)
})

test('quantiles lie between two values in proportion', () => {
  expect([0, 0.25, 0.5, 0.75, 1].map((share) => quantile([4, 1, 3, 2], share))).toEqual([
    1, 1.75, 2.5, 3.25, 4,
  ])
  expect(quantile([], 0.5)).toBeNaN()
})

test('variants are measured by turns, every second round backwards, and what warms up does not count', async () => {
  const order: string[] = []
  const variant = (name: string) => async () => ({ calls: order.push(name) })
  const rounds = await byTurns({ a: variant('a'), b: variant('b') }, { rounds: 2, before: 1 })
  expect(order).toEqual(['b', 'a', 'a', 'b', 'b', 'a'])
  expect(rounds).toEqual({ a: { calls: [3, 6] }, b: { calls: [4, 5] } })
})

test('a ratio is one of each round, over both copies, and copies tell the noise', () => {
  const rounds = {
    pipe: { us: [10, 20, 10] },
    'pipe again': { us: [10, 20, 20] },
    gateway: { us: [20, 50, 30] },
    'gateway again': { us: [20, 30, 30] },
  }
  expect(summarize(rounds, [['gateway', 'pipe']]).us).toEqual({
    pipe: [10, 10, 15],
    'pipe again': [15, 20, 20],
    gateway: [25, 30, 40],
    'gateway again': [25, 30, 30],
    'gateway / pipe': [2, 2, 2],
    'noise of pipe': [1, 1, 1.5],
    'noise of gateway': [0.8, 1, 1],
  })
})
