/** What proves who asks, where its place never answers. */
import { expect, test } from 'vitest'
import { createRenewed } from '../../adapters/drivers/credentials/renewed.ts'
import { CredentialsError } from '../../core/backends/credentials.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'

test('a try that never ends fails after half a minute, and another one is begun', async () => {
  const clock = fakeClock()
  const logger = keptLogs()
  let tries = 0
  const obtain = () => {
    tries += 1
    if (tries === 1) return new Promise<never>(() => {})
    return Promise.resolve({ value: 'a token', expiresAt: undefined })
  }
  const renewed = createRenewed({ backend: 'b', clock, logger, waitUntil: () => {} }, obtain, (token) => [
    token,
  ])
  const first = Promise.resolve(renewed.current())
  const failed = expect(first).rejects.toBeInstanceOf(CredentialsError)
  clock.advance(31_000)
  await failed
  clock.advance(2_000)
  expect(await renewed.current()).toBe('a token')
  expect([tries, clock.timers(), logger.lines.length]).toEqual([2, 0, 1])
})
