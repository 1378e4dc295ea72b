/** The HTTP server of a Node process. It refuses requests that a proxy in front may have read differently. */
import { createServer, IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { systemClock } from '../../core/clock.ts'
import { requestId } from '../../core/ids.ts'
import { MOST_DISCARDED, PIECE_BYTES } from '../../functions/body.ts'
import type { Turn } from '../drivers/turn.ts'

/** Longer than the idle timeout of common load balancers, so that they close first and no call meets a closing connection. */
const KEEP_ALIVE_MS = 75_000
/** Limit for uploads that are slow; the core ends those that stall. */
const LONGEST_UPLOAD_MS = 600_000
/** So long is read on of a request that was answered before all of it had come. */
const DISCARD_MS = 30_000
/** Host of HTTP/1.0 requests, which may have no Host header, e.g. health checks of load balancers. */
const NAMELESS = 'localhost'

type Bindings = Parameters<Parameters<typeof getRequestListener>[0]>[1]
type Fetch = (request: Request, bindings: Bindings) => Response | Promise<Response>

/**
 * `turn`: what is to be written before an answer leaves. `isLeaving`: whether each answer has to close its connection, because the
 * server is about to end.
 */
export function createHttpServer(
  fetch: Fetch,
  { turn, isLeaving }: { turn: Turn; isLeaving: () => boolean },
): Server {
  const listener = getRequestListener(
    (request, bindings) => {
      const answering = fetch(request, bindings)
      const finished = (response: Response) => {
        const { incoming } = bindings
        if (!incoming.complete && incoming instanceof IncomingMessage) discardRest(incoming)
        const answer = cutIfBroken(response, bindings.outgoing)
        if (response === RESPONSE_ALREADY_SENT || !turn.isDue()) return answer
        return turn.written().then(() => answer)
      }
      return answering instanceof Promise ? answering.then(finished) : finished(answering)
    },
    // The library would cut the connection of a client that still sends half a second after its answer.
    { hostname: NAMELESS, autoCleanupIncoming: false },
  )
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (isLeaving()) outgoing.shouldKeepAlive = false
    const fault = faultOf(incoming)
    if (fault) refuse(outgoing, fault)
    else void listener(incoming, outgoing)
  }
  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: LONGEST_UPLOAD_MS },
    onRequest,
  )
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!outgoing.shouldKeepAlive || isLeaving()) closing.add(outgoing)
    // If the answer comes before 100 Continue, the client may or may not send its body, so the connection must not be reused.
    outgoing.shouldKeepAlive = false
    onRequest(incoming, outgoing)
  })
  return server
}

/**
 * Reads what else comes of a request that is answered already, because a client that is still sending would see a broken
 * connection instead of its answer. Neither for ever nor without end, because it is of no use.
 */
function discardRest(incoming: IncomingMessage): void {
  const { 'content-length': length, 'transfer-encoding': encoding } = incoming.headers
  // `close` does not fire again for a client that has left already, and nothing of it is to be kept.
  if (incoming.destroyed || (length === undefined && encoding === undefined)) return
  const timer = setTimeout(() => incoming.destroy(), DISCARD_MS)
  timer.unref()
  incoming.once('close', () => clearTimeout(timer))
  let discarded = 0
  incoming.on('data', (chunk: Uint8Array) => {
    discarded += chunk.length + PIECE_BYTES
    if (discarded > MOST_DISCARDED) incoming.destroy()
  })
}

/**
 * A file whose body fails ends its connection. The library would write the error's text behind it and, if the client had taken
 * everything before, end it like a whole one.
 */
function cutIfBroken(response: Response, outgoing: { destroy(): unknown }): Response {
  if (!response.body || !response.headers.has('content-disposition')) return response
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read().catch((cause) => {
        outgoing.destroy()
        throw cause
      })
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
  return new Response(body, response)
}

/** Whether the client sends its body only after 100 Continue. */
export function expectsContinue({ headers, httpVersion }: IncomingMessage): boolean {
  return headers.expect !== undefined && httpVersion !== '1.0'
}

/** Answers that close their connection also when their client was asked for its body: it wants that, or the server is leaving. */
const closing = new WeakSet<ServerResponse>()

export function askForBody(outgoing: ServerResponse): void {
  outgoing.shouldKeepAlive = !closing.has(outgoing)
  outgoing.writeContinue()
}

/** Why a proxy may have read this request differently (request smuggling); undefined for a clean one. */
function faultOf({ httpVersion, headers, rawHeaders, url }: IncomingMessage): string | undefined {
  if (!url?.startsWith('/')) return 'The request target must be a path.'
  const isOld = httpVersion === '1.0'
  if (isOld && headers['transfer-encoding'] !== undefined) return 'HTTP/1.0 has no Transfer-Encoding.'
  if (!isOld && !headers.host) return 'A Host header is needed.'
  // `headers` has only the first Host header, so they are counted in `rawHeaders`.
  let hosts = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.length === 4 && rawHeaders[i]?.toLowerCase() === 'host') hosts += 1
  }
  return hosts > 1 ? 'There must be one Host header.' : undefined
}

/** Answers 400 and closes the connection, because its next request cannot be trusted. */
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
