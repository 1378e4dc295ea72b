/** The HTTP server of a Node process: what reaches the gateway is one request that everybody on its way reads alike. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { systemClock } from '../../core/clock.ts'
import { requestId } from '../../core/ids.ts'

/** Above the idle time of usual load balancers, so that they close first and no call meets a closing connection. */
const KEEP_ALIVE_MS = 75_000
/** The core closes uploads that stand still; this is for those that trickle. */
const LONGEST_UPLOAD_MS = 600_000
/** For HTTP/1.0, which knows no Host: health checks of load balancers come like that. */
const NAMELESS = 'localhost'

type Fetch = Parameters<typeof getRequestListener>[0]

export function createHttpServer(fetch: Fetch): Server {
  const listener = getRequestListener(fetch, { hostname: NAMELESS })
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const fault = faultOf(incoming)
    if (fault) refuse(outgoing, fault)
    else void listener(incoming, outgoing)
  }
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: LONGEST_UPLOAD_MS },
    onRequest,
  )
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    // Answered unasked, a client may send its body all the same or leave it out: nobody knows what comes next.
    outgoing.shouldKeepAlive = false
    onRequest(incoming, outgoing)
  })
  return server
}

/** Whether the client sends its body only when it is asked for it. */
export function expectsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion !== '1.0'
}

export function askForBody(outgoing: ServerResponse): void {
  outgoing.shouldKeepAlive = true
  outgoing.writeContinue()
}

/** Why a proxy in front might have read this request as another one than this server; undefined for a sound one. */
function faultOf({ httpVersion, headers, rawHeaders, url }: IncomingMessage): string | undefined {
  if (!url?.startsWith('/')) return 'The request target must be a path.'
  const isOld = httpVersion === '1.0'
  if (isOld && headers['transfer-encoding'] !== undefined) return 'HTTP/1.0 has no Transfer-Encoding.'
  if (!isOld && !headers.host) return 'A Host header is needed.'
  // Node hides all but the first.
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1 ? 'There must be one Host header.' : undefined
}

/** The connection is not to be trusted with another request. */
function refuse(outgoing: ServerResponse, message: string): void {
  const id = requestId(systemClock.now())
  outgoing.writeHead(400, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'request-id': id,
    connection: 'close',
  })
  outgoing.end(JSON.stringify({ error: { code: 'body_invalid', message }, request_id: id }))
}
