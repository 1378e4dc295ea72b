/** Stops an HTTP server gracefully: no new connections, and answers have `graceMs` to end. */
import type { Server } from 'node:http'

const IDLE_SWEEP_MS = 50

/** Resolves when every connection is closed; those left after `graceMs` are closed by force. */
export function drain(server: Server, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  // A keep-alive connection becomes idle when its answer ends, so idle ones are closed repeatedly.
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
