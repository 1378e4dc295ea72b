/** Writes a reply straight to the socket: no Response body, no stream object between upstream and client. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Reply } from '../../core/ports.ts'

/** For `Parts.respond`. A body that fails destroys the socket: a cut answer must never look like a finished one. */
export function socketRespond(reply: Reply, bindings: unknown): Response {
  // @hono/node-server calls fetch with its own request and response as the second argument.
  const { outgoing } = bindings as HttpBindings
  const write = (chunk: Uint8Array) => {
    if (!outgoing.headersSent) {
      outgoing.writeHead(reply.status, reply.headers.flat())
      // An answer that came in one piece leaves in one piece: head, body and end in one system call.
      outgoing.cork()
      setImmediate(() => outgoing.uncork())
    }
    if (!outgoing.write(chunk)) return drained(outgoing)
  }
  reply.pipe({ write }).then(
    () => {
      if (!outgoing.headersSent) outgoing.writeHead(reply.status, reply.headers.flat())
      outgoing.end()
    },
    () => outgoing.destroy(),
  )
  return RESPONSE_ALREADY_SENT
}

function drained(outgoing: HttpBindings['outgoing']): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onClose = () => reject(new Error('the client left'))
  const onDrain = () => {
    outgoing.off('close', onClose)
    resolve()
  }
  if (outgoing.destroyed) onClose()
  outgoing.once('close', onClose)
  outgoing.once('drain', onDrain)
  return promise
}
