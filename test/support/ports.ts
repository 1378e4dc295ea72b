import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below those that systems give to connections (https://www.rfc-editor.org/rfc/rfc6335#section-6, and Linux's from 32768 on), so
 * that no client of another test takes the port before it is listened on.
 */
const [FIRST, LAST] = [20_000, 32_000]

/** A port that nothing listens on right now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    const server = createServer().listen(port, '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
