/** Stands between a client and the gateway and remembers what the client asked. */
import { once } from 'node:events'
import { createServer, request as sendRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Witness {
  url: string
  /** Method and path of every request, in turn. */
  asked: string[]
  stop(): Promise<void>
}

export async function startWitness(target: string): Promise<Witness> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const { method = 'GET', url = '/', headers } = request
    asked.push(`${method} ${url}`)
    const forwarded = sendRequest(`${target}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    response.on('close', () => forwarded.destroy())
    request.pipe(forwarded)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // Listening on a port, so the address is no pipe's name.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
