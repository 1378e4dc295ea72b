/**
 * Ends an HTTP server without anybody noticing: new connections are taken for a while, answers come to their end, and
 * connections that are kept alive close when nobody is about to use them.
 */
import type { Server } from 'node:http'
import { Server as SocketServer } from 'node:net'
import { type Connections, watchConnections } from './connections.ts'

const IDLE_SWEEP_MS = 50

interface Limits {
  /** How long new connections are taken, in ms. */
  acceptMs: number
  /** How long a connection may be idle before it is closed, in ms; 0 closes it as soon as it is idle. */
  idleMs: number
  /** How long answers may go on once no new connection is taken, in ms. */
  answerMs: number
}

export interface Departure {
  /** False once the process takes no new work. */
  accepting(): boolean
  /** Whether each answer has to close its connection. */
  leaving(): boolean
  /** Whether connections are closed by this process rather than by their clients. */
  cutting(): boolean
  /** Ends the server within these limits, then calls `finish`. A second call waits no longer. */
  stop(limits: Limits): Promise<void>
  /** The same at once and without a limit on answers. A later `stop` limits them. */
  retire(idleMs: number): Promise<void>
}

export function createDeparture(server: Server, finish: () => Promise<void>): Departure {
  const connections = watchConnections(server)
  let accepting = true
  let cutting = false
  let leaving: Leaving | undefined
  let ending: Promise<void> | undefined
  const onCut = () => {
    cutting = true
  }
  const end = (acceptMs: number, idleMs: number) => {
    leaving = leave(server, connections, { acceptMs, idleMs, onCut })
    return leaving.left.then(finish)
  }
  return {
    accepting: () => accepting,
    leaving: () => leaving !== undefined,
    cutting: () => cutting,
    stop({ acceptMs, idleMs, answerMs }) {
      const waitMs = accepting ? acceptMs + answerMs : 0
      accepting = false
      ending ??= end(acceptMs, idleMs)
      leaving?.cutAfter(waitMs)
      return ending
    },
    retire(idleMs) {
      ending ??= end(0, idleMs)
      return ending
    },
  }
}

interface Leaving {
  /** Resolves when every connection is closed. */
  left: Promise<void>
  /** Cuts the answers that go on for longer than this, in ms. */
  cutAfter(ms: number): void
}

/** Begins the end of the server. */
function leave(
  server: Server,
  connections: Connections,
  { acceptMs, idleMs, onCut }: Pick<Limits, 'acceptMs' | 'idleMs'> & { onCut(): void },
): Leaving {
  const { promise: left, resolve } = Promise.withResolvers<void>()
  const timers: NodeJS.Timeout[] = []
  const after = (ms: number, action: () => void) => {
    if (ms > 0) timers.push(setTimeout(action, ms))
    else action()
  }
  let closed = false
  const refuseNew = () => {
    if (closed) return
    closed = true
    // The HTTP server's own close() also closes idle connections, on which a client may be sending its next request.
    SocketServer.prototype.close.call(server, () => {
      for (const timer of timers) clearTimeout(timer)
      resolve()
    })
  }
  after(acceptMs, refuseNew)
  after(idleMs, () => {
    connections.closeIdle(idleMs)
    timers.push(setInterval(() => connections.closeIdle(idleMs), IDLE_SWEEP_MS))
  })
  const cut = () => {
    refuseNew()
    onCut()
    server.closeAllConnections()
  }
  return { left, cutAfter: (ms) => after(ms, cut) }
}
