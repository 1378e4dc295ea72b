import { describe, expect, test } from 'vitest'
import { ANN, BOB, backend } from '../../support/backends.ts'
import { balancing, SERVED } from '../../support/balancing.ts'

describe('many conversations', () => {
  test.each([[[1, 1]], [[3, 1]], [[10, 5, 1]], [[1, 1, 1, 1, 96]]])(
    'are spread by the weights %j within 2 %%',
    async (weights) => {
      const { select } = balancing(weights.map((weight, i) => backend(`backend-${i}`, { weight })))
      const counts = weights.map(() => 0)
      for (let i = 0; i < 20_000; i++) {
        const at = Number((await select({ conversation: `session-${i}` }))?.backend.name.split('-')[1])
        counts[at] = (counts[at] ?? 0) + 1
      }
      const total = weights.reduce((sum, weight) => sum + weight, 0)
      for (const [i, weight] of weights.entries()) {
        expect(Math.abs((counts[i] ?? 0) / 20_000 - weight / total)).toBeLessThan(0.02)
      }
    },
  )

  test('of one person never cost another person theirs', async () => {
    const { call, eject, clock } = balancing([backend('a'), backend('b')])
    await eject('a')
    expect(await call(SERVED, { conversation: 'mine', person: BOB })).toBe('b')
    for (let i = 0; i < 6_000; i++) await call(SERVED, { conversation: `s${i}`, person: ANN })
    clock.advance(31_000)
    await call(SERVED, { boundTo: 'a', person: BOB })
    expect(await call(SERVED, { conversation: 'mine', person: BOB })).toBe('b')
  })
})
