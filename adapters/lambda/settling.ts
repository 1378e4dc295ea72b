/** A Lambda is frozen when its answer ends: the answer ends when the work behind it does. */
export function createSettling() {
  const pending = new Set<Promise<unknown>>()
  const settled = async () => {
    while (pending.size > 0) await Promise.allSettled(pending)
  }
  return {
    waitUntil(work: Promise<unknown>) {
      const kept = work.catch(() => {}).finally(() => pending.delete(kept))
      pending.add(kept)
    },
    settled,
    /** The same response, whose last byte waits for the work. */
    async until(response: Response): Promise<Response> {
      if (!response.body) {
        await settled()
        return response
      }
      // What writes the body is itself awaited work: only what is left after it has ended is waited for.
      const end = new TransformStream<Uint8Array, Uint8Array>({ flush: settled })
      return new Response(response.body.pipeThrough(end), response)
    },
  }
}
