/**
 * Writes that must not be lost: they tell of what happened outside and does not happen again. They are tried until the
 * database takes them.
 */
import type { Clock } from './ports.ts'

/**
 * For how long (ms). Workers end what they do 30 s after an answer:
 * https://developers.cloudflare.com/workers/runtime-apis/context/#waituntil
 */
const PATIENCE_MS = 10_000
/** The first wait (ms); each is twice as long as the one before. */
const WAIT_MS = 50
const LONGEST_WAIT_MS = 2_000

/**
 * `write` may be done twice without harm, because perhaps only the answer was lost. `waits` is told why it did not work, and for
 * how many ms is waited. Rejects as the last try.
 */
export async function untiring<T>(
  {
    clock,
    waits = () => {},
  }: { clock: Pick<Clock, 'elapsed' | 'after'>; waits?: (cause: unknown, ms: number) => void },
  write: () => PromiseLike<T>,
): Promise<T> {
  const deadline = clock.elapsed() + PATIENCE_MS
  for (let ms = WAIT_MS; ; ms = Math.min(ms * 2, LONGEST_WAIT_MS)) {
    try {
      return await write()
    } catch (cause) {
      if (clock.elapsed() > deadline) throw cause
      waits(cause, ms)
    }
    await new Promise<void>((resolve) => clock.after(ms, resolve))
  }
}
