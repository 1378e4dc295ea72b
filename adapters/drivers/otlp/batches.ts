/** Requests on their way to a collector that may be slow or away: so much waits, the rest is dropped and counted. */

const MOST_WAITING = 4_096
const BATCH = 256
const EVERY_MS = 5_000

/** Makes requests. What is added is encoded at once, because objects that wait are copied by one garbage collection after the other. */
export interface Encoder<T> {
  add(one: T): void
  /** The request of all that was added since it was called last. */
  take(): Uint8Array
}

export interface Batches<T> {
  add(one: T): void
  /** How many of those that were added are not sent yet. */
  waiting(): number
  /** Sends what waits, for `ms` at most; what is left then is dropped. */
  close(ms: number): Promise<void>
}

/** `send` resolves with whether the request was taken; it is called again only after that. */
export function createBatches<T>(parts: {
  encoder: Encoder<T>
  send(request: Uint8Array): Promise<boolean>
  dropped(count: number): void
}): Batches<T> {
  const { send, dropped } = parts
  const queue = createQueue(parts.encoder)
  let sending: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  async function sendOne({ count, request }: Batch) {
    const taken = await send(request).catch(() => false)
    if (!taken) dropped(count)
  }
  function begin(): void {
    clearTimeout(timer)
    timer = undefined
    const next = sending ? undefined : queue.take()
    if (!next) return
    sending = sendOne(next).finally(() => {
      sending = undefined
      if (queue.hasFull() || closed) begin()
      else if (queue.waiting() > 0) schedule()
    })
  }
  function schedule() {
    timer ??= setTimeout(begin, EVERY_MS).unref()
  }

  return {
    waiting: queue.waiting,
    add(one) {
      if (closed || queue.waiting() >= MOST_WAITING) return dropped(1)
      queue.add(one)
      if (queue.hasFull()) begin()
      else schedule()
    },
    async close(ms) {
      closed = true
      const late = new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
      const all = async () => {
        for (begin(); sending; ) await sending
      }
      await Promise.race([all(), late])
      dropped(queue.clear())
    },
  }
}

interface Batch {
  count: number
  request: Uint8Array
}

function createQueue<T>({ add, take }: Encoder<T>) {
  const full: Batch[] = []
  /** Those that are in no batch yet, and all. */
  let added = 0
  let waiting = 0
  function fill() {
    if (added > 0) full.push({ count: added, request: take() })
    added = 0
  }
  return {
    waiting: () => waiting,
    hasFull: () => full.length > 0,
    add(one: T) {
      add(one)
      added += 1
      waiting += 1
      if (added === BATCH) fill()
    },
    /** The next batch, be it full or not. */
    take(): Batch | undefined {
      if (full.length === 0) fill()
      const next = full.shift()
      waiting -= next?.count ?? 0
      return next
    },
    /** Forgets them and returns how many they were. */
    clear(): number {
      const forgotten = waiting
      full.length = added = waiting = 0
      return forgotten
    },
  }
}
