/** Gives back the memory that the process no longer uses. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const LOOK_MS = 100
const GROWTH_BYTES = 64 * 2 ** 20
const SOONEST_MS = 1_000
const LATEST_MS = 60_000

/**
 * Has garbage collected when the process has grown by 64 MB. V8 counts a large body or a statement of SQLite as a few bytes,
 * so that hundreds of megabytes of dead ones would wait for a collection. What is still in use then is looked at again later,
 * and ever less often.
 */
export function collectAsItGrows(): void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const { rss } = process.memoryUsage
  let lowest = rss()
  /** After the last collection. */
  let after = lowest
  let waitMs = SOONEST_MS
  let notBefore = 0
  setInterval(() => {
    const before = rss()
    lowest = Math.min(lowest, before)
    const isSoon = performance.now() < notBefore && before < after + GROWTH_BYTES
    if (before < lowest + GROWTH_BYTES || isSoon) return
    collect()
    after = rss()
    const freed = before - after
    waitMs = freed > GROWTH_BYTES / 2 ? SOONEST_MS : Math.min(waitMs * 2, LATEST_MS)
    notBefore = performance.now() + waitMs
  }, LOOK_MS).unref()
}
