import { expect, test } from 'vitest'
import { oneAtATime } from '../../../adapters/node/restarts.ts'

test('restarts that are asked for while one runs are done as one, with what came last', async () => {
  const begun: (string | undefined)[] = []
  const ends: (() => void)[] = []
  const restart = oneAtATime<string>((next) => {
    begun.push(next)
    return new Promise((resolve) => ends.push(resolve))
  })
  restart()
  for (const next of ['a', 'b', undefined]) restart(next)
  expect(begun).toEqual([undefined])
  ends[0]?.()
  await expect.poll(() => begun).toEqual([undefined, 'b'])
  ends[1]?.()
  await Promise.resolve()
  restart('c')
  await expect.poll(() => begun).toEqual([undefined, 'b', 'c'])
})
