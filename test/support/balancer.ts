/** A load balancer as simple as they come: by turns to whoever answers /readyz with 200. It never sends a call twice. */
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'

const ASK_MS = 100

export interface TestBalancer {
  url: string
  /** How many of the places get calls. */
  ready(): number
  stop(): Promise<void>
}

/** `places`: the addresses of the gateways, asked anew each time because a restart changes them. */
export async function startBalancer(places: readonly (() => string)[]): Promise<TestBalancer> {
  const agent = new Agent({ keepAlive: true })
  const ready = new Set<() => string>()
  let turn = 0
  const asking = setInterval(() => {
    for (const place of places) {
      const say = (isReady: boolean) => void (isReady ? ready.add(place) : ready.delete(place))
      fetch(`${place()}/readyz`, { signal: AbortSignal.timeout(10_000) }).then(
        ({ status }) => say(status === 200),
        () => say(false),
      )
    }
  }, ASK_MS)
  const server = createServer((incoming, outgoing) => {
    const place = [...ready][turn++ % ready.size]
    if (!place) {
      incoming.resume()
      return void outgoing.writeHead(503).end('no place is ready')
    }
    const { method, headers, url } = incoming
    const onward = request(`${place()}${url}`, { method, headers, agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy())
      answer.pipe(outgoing)
    })
    onward.on('error', (cause) => {
      // The rest is read, because a connection that ends with something unread is reset and nobody hears why.
      incoming.resume()
      if (outgoing.headersSent) outgoing.destroy()
      else outgoing.writeHead(502).end(String(cause))
    })
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // It listens on a port, so the address is no pipe's name.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ready: () => ready.size,
    async stop() {
      clearInterval(asking)
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await once(server, 'close')
    },
  }
}
