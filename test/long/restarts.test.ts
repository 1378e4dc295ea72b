import { expect, test } from 'vitest'
import { restartBalanced, restartWorkers } from '../support/restarts.ts'

const NOBODY_NOTICED = { refused: [], cut: 0, hung: 0 }

test('two workers, replaced ten times under a hundred calls a second: none is refused, cut or hangs', async () => {
  const ended = await restartWorkers({ perSecond: 100, rounds: 10 })
  console.log(ended)
  expect(ended).toMatchObject(NOBODY_NOTICED)
})

test('two gateways behind a load balancer, restarted five times each under a hundred calls a second: none is refused, cut or hangs', async () => {
  const ended = await restartBalanced({ perSecond: 100, rounds: 5 })
  console.log(ended)
  expect(ended).toMatchObject(NOBODY_NOTICED)
})
