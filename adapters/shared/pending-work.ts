/**
 * Work that goes on behind an answer. A process that ends waits for it; a Lambda is frozen when its answer ends, so there
 * each answer waits.
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
