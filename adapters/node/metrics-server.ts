/** GET /metrics on a port of its own. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Config } from '../../config/schema.ts'
import { exposition } from '../../core/observability/prometheus.ts'
import type { Series } from '../../core/observability/series.ts'
import type { Logger } from '../../core/ports.ts'

/** No scraper waits for longer. */
const TIMEOUT_MS = 10_000

/** Listens if the configuration has a port for metrics; the returned function ends that. Rejects if the port is taken. */
export async function serveMetrics(
  { metrics: { port, host, token } }: Pick<Config, 'metrics'>,
  logger: Logger,
  figures: () => Promise<readonly Series[]>,
): Promise<() => Promise<void>> {
  if (port === null) return async () => {}
  const server = createServer(
    { requestTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS },
    (incoming, outgoing) => {
      answer(incoming, outgoing).catch((cause: unknown) => {
        logger.error('metrics.failed', { cause: String(cause) })
        refuse(outgoing, 500)
      })
    },
  )
  async function answer(incoming: IncomingMessage, outgoing: ServerResponse) {
    const { method, url = '', headers } = incoming
    if (url.split('?', 1)[0] !== '/metrics') return refuse(outgoing, 404)
    if (method !== 'GET') return refuse(outgoing, 405, { allow: 'GET' })
    if (token !== '' && !isBearer(headers.authorization, token)) {
      return refuse(outgoing, 401, { 'www-authenticate': 'Bearer' })
    }
    const { text, type } = exposition(await figures(), headers.accept)
    outgoing.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject).listen({ port, host }, resolve)
  await promise
  const bound = server.address()
  // It is listening on a port, so that it has an address with one.
  if (bound !== null && typeof bound !== 'string')
    logger.info('metrics.listening', { host, port: bound.port })
  return () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeAllConnections()
    return closed
  }
}

function refuse(outgoing: ServerResponse, status: number, headers: Record<string, string> = {}) {
  if (!outgoing.headersSent) outgoing.writeHead(status, headers)
  outgoing.end()
}

/** Hashes are compared, because the time that it takes to compare secrets tells how much of one is right. */
function isBearer(authorization: string | undefined, token: string): boolean {
  const given = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(token))
}
