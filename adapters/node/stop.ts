/** The graceful end of an HTTP server: no new connections, streams end by themselves within the grace time. */
import type { Server } from 'node:http'

const IDLE_SWEEP_MS = 50

/** Resolves when every connection is closed; those left after `graceMs` are cut. */
export function drain(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  // A kept-alive connection becomes idle only when its answer is done: looked for again and again.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS)
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  server.close(() => {
    clearInterval(sweep)
    clearTimeout(cut)
    resolve()
  })
  server.closeIdleConnections()
  return promise
}
