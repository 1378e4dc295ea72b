/**
 * Connections to upstreams; each carries one call at a time.
 *
 * Decision: no undici Pool, because it reconnects after every call that is given up and keeps a client for every connection
 * it ever had. Here the connection that was used last is used next, and closed ones are removed.
 */
import type { Socket } from 'node:net'
import { buildConnector, Client } from 'undici'
import { ConnectError } from '../../../core/backends/network.ts'
import { type InterimFilter, interimFilter } from './interim.ts'
import { guardedLookup } from './lookup.ts'
import { isExempt, tunnel } from './proxy.ts'

const CONNECT_TIMEOUT_MS = 5_000
const KEEP_ALIVE_MS = 30_000

export interface Connections {
  /**
   * A connection for one call: the idle one that was used last, or a new one. If `fresh`, always a new one. `place`: an origin,
   * and behind a space the URL of the proxy that leads there, if any.
   */
  take(place: string, fresh: boolean): Client
  /** The call is over and its connection can be used again. */
  release(place: string, client: Client): void
  /** Whether an answer came on this connection already. */
  wasUsed(client: Client): boolean
  /** Whether all that was written to this connection has left the process. */
  hasSent(client: Client): boolean
  /** The call failed or was given up: closes its connection. */
  drop(client: Client): void
  close(): Promise<void>
}

interface Connection {
  client: Client
  filter: InterimFilter
  /** Undefined until it is connected. */
  socket: Socket | undefined
}

function connectionTo(origin: string, connect: buildConnector.connector): Connection {
  const filter = interimFilter()
  const client = new Client(origin, {
    allowH2: false,
    // The core has the time limits; undici's would end calls that think for long.
    bodyTimeout: 0,
    headersTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // In bytes: Node clients accept 16 KiB of headers, and the gateway adds its own.
    maxHeaderSize: 14 * 1024,
    connect: (options, done) =>
      connect(options, (...result) => {
        const [, socket] = result
        if (socket) {
          filter.attach(socket)
          connection.socket = socket
        }
        done(...result)
      }),
  })
  const connection: Connection = { client, filter, socket: undefined }
  return connection
}

function connectors(noProxy: string) {
  // Shared by all connections, so that any of them can resume a TLS session.
  const connector = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup: guardedLookup() })
  const connect: typeof connector = (options, callback) =>
    connector(options, (...[cause, socket]) => {
      // A ConnectError, because a failed connection says something about the address and nothing about the call.
      if (cause) callback(new ConnectError(cause), null)
      else callback(null, socket)
    })
  /** TLS is spoken with the upstream, through the tunnel, so that the proxy reads nothing. */
  const connectThrough =
    (proxy: string): typeof connector =>
    (options, callback) => {
      const { protocol, hostname } = options
      const port = Number(options.port || (protocol === 'https:' ? 443 : 80))
      if (isExempt(noProxy, { host: hostname, port })) return connect(options, callback)
      tunnel(proxy, { host: hostname, port }, CONNECT_TIMEOUT_MS).then(
        (socket) => {
          if (protocol === 'https:') connect({ ...options, httpSocket: socket }, callback)
          else callback(null, socket)
        },
        (cause) => callback(new ConnectError(cause), null),
      )
    }
  return { connect, connectThrough }
}

/** `noProxy`: hosts that are reached without a proxy, as in the variable NO_PROXY. */
export function openConnections(noProxy: string): Connections {
  const { connect, connectThrough } = connectors(noProxy)
  const all = new Map<Client, Connection>()
  const idle = new Map<string, Client[]>()

  function drop(client: Client) {
    all.delete(client)
    void client.destroy()
  }
  function open(place: string): Client {
    const [origin = place, proxy] = place.split(' ')
    const opened = connectionTo(origin, proxy === undefined ? connect : connectThrough(proxy))
    const { client } = opened
    all.set(client, opened)
    client.on('disconnect', () => {
      const waiting = idle.get(place)
      const at = waiting?.indexOf(client) ?? -1
      // The client is not idle: its call gets an error of its own.
      if (at < 0) return
      waiting?.splice(at, 1)
      drop(client)
    })
    return client
  }
  return {
    take(place, fresh) {
      const client = (fresh ? undefined : idle.get(place)?.pop()) ?? open(place)
      all.get(client)?.filter.expectHead()
      return client
    },
    release(place, client) {
      const waiting = idle.get(place)
      if (waiting) waiting.push(client)
      else idle.set(place, [client])
    },
    wasUsed: (client) => (all.get(client)?.socket?.bytesRead ?? 0) > 0,
    hasSent(client) {
      const socket = all.get(client)?.socket
      // A destroyed one may still be writing when it forgets what it was to write.
      return socket !== undefined && !socket.destroyed && socket.writableLength === 0
    },
    drop,
    async close() {
      await Promise.all([...all.keys()].map((client) => client.destroy()))
    },
  }
}
