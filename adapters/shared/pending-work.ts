/**
 * Work that continues after an answer. A process waits for it before it ends; on Lambda each answer waits, because AWS
 * freezes the process when the answer ends.
 */
export function createPendingWork() {
  const pending = new Set<Promise<unknown>>()
  return {
    waitUntil(work: Promise<unknown>) {
      const kept = work.catch(() => {}).finally(() => pending.delete(kept))
      pending.add(kept)
    },
    async settled() {
      while (pending.size > 0) await Promise.allSettled(pending)
    },
  }
}
