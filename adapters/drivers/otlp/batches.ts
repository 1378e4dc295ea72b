/** Things on their way to a collector that may be slow or away: so many wait, the rest is dropped and counted. */

const MOST_WAITING = 4_096
/** Few enough that encoding them keeps the event loop for less than a millisecond. */
const BATCH = 256
const EVERY_MS = 5_000

export interface Batches<T> {
  add(one: T): void
  waiting(): number
  /** Sends what waits, for `ms` at most; what is left then is dropped. */
  close(ms: number): Promise<void>
}

/** `send` resolves with whether the batch was taken; it is called again only after that. */
export function createBatches<T>(parts: {
  send(batch: readonly T[]): Promise<boolean>
  dropped(count: number): void
}): Batches<T> {
  const { send, dropped } = parts
  let waiting: T[] = []
  let sending: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  async function sendNext() {
    const batch = waiting.slice(0, BATCH)
    waiting = waiting.slice(BATCH)
    const taken = await send(batch).catch(() => false)
    if (!taken) dropped(batch.length)
  }
  function begin(): void {
    clearTimeout(timer)
    timer = undefined
    if (sending || waiting.length === 0) return
    sending = sendNext().finally(() => {
      sending = undefined
      if (waiting.length >= BATCH || closed) begin()
      else if (waiting.length > 0) schedule()
    })
  }
  function schedule() {
    timer ??= setTimeout(begin, EVERY_MS).unref()
  }

  return {
    waiting: () => waiting.length,
    add(one) {
      if (closed || waiting.length >= MOST_WAITING) return dropped(1)
      waiting.push(one)
      if (waiting.length >= BATCH) begin()
      else schedule()
    },
    async close(ms) {
      closed = true
      const late = new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
      const all = async () => {
        for (begin(); sending; ) await sending
      }
      await Promise.race([all(), late])
      dropped(waiting.length)
      waiting = []
    },
  }
}
