/**
 * Connections to upstreams, each with one call at a time.
 *
 * Decision: not undici's own Pool. It connects again, for nothing, for every call that is given up, and keeps a client for
 * every connection there ever was. Here the connection that was used last is used next, and one that closes is forgotten.
 */
import { buildConnector, Client } from 'undici'
import { ConnectError } from '../../../core/backends/network.ts'
import { type InterimFilter, interimFilter } from './interim.ts'
import { guardedLookup } from './lookup.ts'

const CONNECT_TIMEOUT_MS = 5_000
const KEEP_ALIVE_MS = 30_000

export interface Connections {
  /** For one call: the idle connection that was used last, or a new one; always a new one if `fresh`. */
  take(origin: string, fresh: boolean): Client
  /** The call is over and its connection good for another. */
  release(origin: string, client: Client): void
  /** The call failed or was given up, and its connection goes with it. */
  drop(client: Client): void
  close(): Promise<void>
}

export function openConnections(): Connections {
  // One for all, so that TLS sessions are resumed by whichever connection is next.
  const connector = buildConnector({ timeout: CONNECT_TIMEOUT_MS, allowH2: false, lookup: guardedLookup() })
  const connect: typeof connector = (options, callback) =>
    connector(options, (...[cause, socket]) => {
      // Marked, because no call can cause it: it says something about the address alone.
      if (cause) callback(new ConnectError(cause), null)
      else callback(null, socket)
    })
  const all = new Map<Client, InterimFilter>()
  const idle = new Map<string, Client[]>()

  function drop(client: Client) {
    all.delete(client)
    void client.destroy()
  }
  function open(origin: string): Client {
    const filter = interimFilter()
    const client = new Client(origin, {
      allowH2: false,
      // Time limits are the core's: undici's own would cut long thinking.
      bodyTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Clients read 16 KiB of headers, and the gateway's own come on top.
      maxHeaderSize: 14 * 1024,
      connect: (options, done) =>
        connect(options, (...result) => {
          if (result[1]) filter.attach(result[1])
          done(...result)
        }),
    })
    all.set(client, filter)
    client.on('disconnect', () => {
      const waiting = idle.get(origin)
      const at = waiting?.indexOf(client) ?? -1
      // A call under way hears of it by its own error.
      if (at < 0) return
      waiting?.splice(at, 1)
      drop(client)
    })
    return client
  }
  return {
    take(origin, fresh) {
      const client = (fresh ? undefined : idle.get(origin)?.pop()) ?? open(origin)
      all.get(client)?.expectHead()
      return client
    },
    release(origin, client) {
      const waiting = idle.get(origin)
      if (waiting) waiting.push(client)
      else idle.set(origin, [client])
    },
    drop,
    async close() {
      await Promise.all([...all.keys()].map((client) => client.destroy()))
    },
  }
}
