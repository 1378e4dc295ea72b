/** The yardstick, a process of its own: the least that Node can do between client and upstream, with no logic at all. */
import { Agent, request as ask, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const agent = new Agent({ keepAlive: true })
const port = Number(process.argv[2])

const server = createServer((incoming, outgoing) => {
  const { method, url: path, headers } = incoming
  const onward = ask({ agent, host: '127.0.0.1', port, method, path, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
})
server.keepAliveTimeout = 60_000
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
process.on('disconnect', () => process.exit(0))
