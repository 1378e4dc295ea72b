import type { Clock } from './ports.ts'

/** Keeps the runtime alive until the work is done. */
export type WaitUntil = (work: Promise<unknown>) => void

/**
 * `work`, for which requests may wait that did not begin it. It is kept alive, because on Workers it would stop for all of them
 * if the client leaves whose request began it: https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
export function sharedWork<T>(work: Promise<T>, waitUntil: WaitUntil): Promise<T> {
  waitUntil(work.catch(() => {}))
  return work
}

/** Waits for work, but not longer than `ms`; the work goes on. */
export async function atMost(ms: number, work: Promise<unknown>, clock: Pick<Clock, 'after'>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const cancel = clock.after(ms, late.resolve)
  try {
    await Promise.race([work, late.promise])
  } finally {
    cancel()
  }
}
