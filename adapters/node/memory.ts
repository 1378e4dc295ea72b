/** Gives back the memory that the process no longer uses. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 1_000
const GROWTH_BYTES = 96 * 2 ** 20
const SOONEST_MS = 1_000
const LATEST_MS = 10 * 60_000

/**
 * Runs `work`, whose results stay. Meanwhile the part of V8's heap for new objects does not grow, because V8 would take up to
 * 100 MB for objects that are copied out of it anyway.
 */
export async function whatStays<T>(work: () => Promise<T>): Promise<T> {
  setFlagsFromString('--semi-space-growth-factor=1')
  try {
    return await work()
  } finally {
    // V8's default.
    setFlagsFromString('--semi-space-growth-factor=2')
  }
}

/**
 * Has young garbage collected when what the process has beside V8's heap has grown by 96 MB. V8 counts the buffers in which
 * uploads arrive as a few bytes each, so that hundreds of megabytes of dead ones would wait for a collection. Old garbage is not
 * sought, because that stops every stream for 70 to 140 ms on one core; a young collection takes 2 to 15. One that frees little
 * is repeated ever less often, because the growth may be that of a thread, such as one with somebody's export.
 */
export function collectAsItGrows(): void {
  setFlagsFromString('--expose-gc')
  const collect: (how: { type: 'minor' }) => void = runInNewContext('gc')
  const outside = () => {
    const { rss, heapTotal } = process.memoryUsage()
    return rss - heapTotal
  }
  let lowest = outside()
  let waitMs = SOONEST_MS
  let notBefore = 0
  setInterval(() => {
    const before = outside()
    lowest = Math.min(lowest, before)
    if (before < lowest + GROWTH_BYTES || performance.now() < notBefore) return
    collect({ type: 'minor' })
    waitMs = before - outside() > GROWTH_BYTES / 2 ? SOONEST_MS : Math.min(waitMs * 2, LATEST_MS)
    notBefore = performance.now() + waitMs
  }, LOOK_MS).unref()
}
