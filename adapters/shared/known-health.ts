import type { Deps } from '../../core/deps.ts'

/** A call waits for the store of health no longer than this (ms), because a store that is away must not hold calls up. */
const LONGEST_WAIT_MS = 250

/**
 * Reads what other processes know of the backends. Resolves when it is read, or after LONGEST_WAIT_MS; the reading then goes
 * on. Never rejects, because the recurring task reads it again and says what is wrong.
 */
export function readHealth({ balancer, clock, waitUntil }: Pick<Deps, 'balancer' | 'clock' | 'waitUntil'>) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const cancel = clock.after(LONGEST_WAIT_MS, resolve)
  const reading = balancer
    .refresh()
    .catch(() => {})
    .finally(() => {
      cancel()
      resolve()
    })
  waitUntil(reading)
  return promise
}
