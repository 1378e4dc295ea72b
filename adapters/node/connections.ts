/** Which connections of an HTTP server are idle, and for how long. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface Connections {
  /** Closes those that have been idle for this long, in ms. */
  closeIdle(forMs: number): void
}

export function watchConnections(server: Server): Connections {
  const all = new Map<Socket, { answering: number; idleSince: number; answered(): void }>()
  server.on('connection', (socket: Socket) => {
    const state = {
      answering: 0,
      idleSince: performance.now(),
      answered() {
        state.answering -= 1
        state.idleSince = performance.now()
      },
    }
    all.set(socket, state)
    socket.once('close', () => all.delete(socket))
  })
  const begin = ({ socket }: IncomingMessage, outgoing: ServerResponse) => {
    const state = all.get(socket)
    if (!state) return
    state.answering += 1
    outgoing.once('close', state.answered)
  }
  server.prependListener('request', begin)
  server.prependListener('checkContinue', begin)
  return {
    closeIdle(forMs) {
      const latest = performance.now() - forMs
      // Right after the sockets were read, because a request that has come already must be answered.
      setImmediate(() => {
        for (const [socket, { answering, idleSince }] of all) {
          if (answering === 0 && idleSince <= latest) socket.destroy()
        }
      })
    },
  }
}
