import { expect, test } from 'vitest'
import { explained } from '../../../core/reports/reconciled.ts'

const row = (measure: 'input' | 'output' | 'cost_micros', figures: object) => ({
  account: 'a',
  day: 0,
  model: 'm',
  measure,
  ours: 0,
  estimated: 0,
  theirs: 0,
  outside: 0,
  ...figures,
})

test.each([
  ['nothing differs', { ours: 100, theirs: 100 }, { ours: 500, theirs: 509 }, ['none', 'none']],
  [
    'other keys called',
    { ours: 60, theirs: 100, outside: 40 },
    { ours: 300, theirs: 500, outside: 200 },
    ['outside', 'outside'],
  ],
  [
    'a count of ours was estimated',
    { ours: 100, theirs: 130, estimated: 30 },
    { ours: 500, theirs: 650, estimated: 150 },
    ['estimated', 'estimated'],
  ],
  [
    'more differs than was estimated',
    { ours: 100, theirs: 131, estimated: 30 },
    { ours: 500, theirs: 655 },
    ['unexplained', 'unexplained'],
  ],
  ['only the cost differs', { ours: 100, theirs: 100 }, { ours: 500, theirs: 550 }, ['price', 'price']],
  [
    'we have what they have not',
    { ours: 100, theirs: 90 },
    { ours: 500, theirs: 450 },
    ['unexplained', 'unexplained'],
  ],
])('%s', (_case, tokens, cost, [ofTokens, ofCost]) => {
  const [input, money] = explained([row('input', tokens), row('cost_micros', cost)])
  const expected = ofTokens === 'price' ? 'none' : ofTokens
  expect([input?.explanation, money?.explanation]).toEqual([expected, ofCost])
})

test('one class of tokens that nothing explains leaves the cost of its model unexplained', () => {
  const rows = explained([
    row('input', { ours: 10, theirs: 10 }),
    row('output', { ours: 10, theirs: 20 }),
    row('cost_micros', { ours: 10, theirs: 90 }),
  ])
  expect(rows.map(({ explanation }) => explanation)).toEqual(['none', 'unexplained', 'unexplained'])
})
