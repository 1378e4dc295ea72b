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
