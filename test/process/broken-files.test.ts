/** A file that breaks off while it is sent: its client must not take it for a whole one. */
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { createHttpServer } from '../../adapters/node/http-server.ts'

test.each([
  ['at once', 0],
  ['after 1 piece', 1],
  ['after 30 pieces', 30],
])('a file that breaks off %s is cut', async (_when, pieces) => {
  let sent = 0
  const body = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ === pieces) throw new Error('The file broke off.')
        controller.enqueue(new Uint8Array(60_000))
      },
    })
  const headers = { 'content-disposition': 'attachment; filename="a.csv"' }
  const server = createHttpServer(() => new Response(body(), { headers }), {
    turn: createTurn(),
    isLeaving: () => false,
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  const taken = async () => {
    const [answer]: IncomingMessage[] = await once(get({ port, agent: false }), 'response')
    for await (const _ of answer ?? []);
    return 'whole'
  }
  await expect(taken()).rejects.toThrow(/aborted|hang up/)
  server.close()
})
