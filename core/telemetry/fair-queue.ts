/**
 * A bounded queue that its people share: they are served by turns, and when it is full the oldest of whoever has most in it
 * falls out. So nobody can keep others out, however much they send.
 */

export interface Queued<T> {
  userId: number
  one: T
  bytes: number
}

export interface FairQueue<T> {
  /** Adds to the end of its person's part. Returns what fell out for it, which may be it itself. */
  add(queued: Queued<T>): Queued<T>[]
  /** Takes the oldest of the person whose turn it is. */
  next(): Queued<T> | undefined
}

interface Part<T> {
  waiting: Queued<T>[]
  bytes: number
}

export function createFairQueue<T>(mostBytes: number): FairQueue<T> {
  /** By person, the one whose turn is next first. */
  const parts = new Map<number, Part<T>>()
  let bytes = 0

  function removeOldest(userId: number): Queued<T> | undefined {
    const part = parts.get(userId)
    const oldest = part?.waiting.shift()
    if (!part || !oldest) return undefined
    part.bytes -= oldest.bytes
    bytes -= oldest.bytes
    if (part.waiting.length === 0) parts.delete(userId)
    return oldest
  }
  function largest(): number | undefined {
    let found: number | undefined
    let most = 0
    for (const [userId, part] of parts) {
      if (part.bytes <= most) continue
      most = part.bytes
      found = userId
    }
    return found
  }
  return {
    add(queued) {
      const part = parts.get(queued.userId) ?? { waiting: [], bytes: 0 }
      parts.set(queued.userId, part)
      part.waiting.push(queued)
      part.bytes += queued.bytes
      bytes += queued.bytes
      const fallen: Queued<T>[] = []
      while (bytes > mostBytes) {
        const userId = largest()
        const oldest = userId === undefined ? undefined : removeOldest(userId)
        if (!oldest) break
        fallen.push(oldest)
      }
      return fallen
    },
    next() {
      const [first] = parts.keys()
      if (first === undefined) return undefined
      const part = parts.get(first)
      const oldest = removeOldest(first)
      if (part && parts.delete(first)) parts.set(first, part)
      return oldest
    },
  }
}
