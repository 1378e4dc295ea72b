/** An account that takes files of any size and keeps none of their bytes, and one large file, up and down. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { residentBytes } from '../bench/measure.ts'
import { startGateway } from './gateway.ts'

const MB = 2 ** 20
const PIECE = Buffer.alloc(MB, 'what is in a file ')
const HEAD =
  '--edge\r\ncontent-disposition: form-data; name="file"; filename="large.bin"\r\ncontent-type: application/octet-stream\r\n\r\n'
const TAIL = '\r\n--edge--\r\n'

async function startAccount(megabytes: number) {
  let received = ''
  const server = createServer(async (asked, response) => {
    if (asked.method === 'GET' && asked.url?.endsWith('/content')) {
      response.writeHead(200, { 'content-type': 'application/octet-stream' })
      for (let i = 0; i < megabytes; i++) if (!response.write(PIECE)) await once(response, 'drain')
      return void response.end()
    }
    const hash = createHash('sha256')
    for await (const chunk of asked) hash.update(chunk)
    if (asked.method === 'POST' && asked.url === '/v1/files') received = hash.digest('hex')
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end('{"id":"file_large","type":"file","data":[]}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port, so it is no pipe's name
  return { url: `http://127.0.0.1:${port}`, received: () => received, stop: () => void server.close() }
}

export interface LargeFile {
  sentSha: string
  receivedSha: string
  downloadedSha: string
  expectedSha: string
  /** By how much the gateway's memory grew at most. */
  grownMb: number
}

/** Sends a file of so many megabytes through a gateway and fetches it again. */
export async function passLargeFile(megabytes: number): Promise<LargeFile> {
  const account = await startAccount(megabytes)
  const gateway = await startGateway({ backends: [{ name: 'a', url: account.url }] })
  const { secret } = await gateway.newKey()
  const pid = gateway.process.pid ?? 0
  const ask = (method: string, path: string, headers: Record<string, string | number> = {}) => {
    const url = `${gateway.url}${path}`
    return request(url, { method, agent: false, headers: { 'x-api-key': secret, ...headers } })
  }
  // The key is known, and what every process needs once is there before.
  for (let status = 0; status !== 200; ) {
    const first = ask('GET', '/v1/files')
    first.end()
    const [answer] = await once(first, 'response')
    for await (const _ of answer);
    status = answer.statusCode
  }
  const before = residentBytes(pid)
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(pid))
  }, 20)

  const sent = createHash('sha256')
  const up = ask('POST', '/v1/files', {
    'content-type': 'multipart/form-data; boundary=edge',
    'content-length': HEAD.length + megabytes * MB + TAIL.length,
  })
  const answered = once(up, 'response')
  for (const piece of pieces(megabytes)) {
    sent.update(piece)
    if (!up.write(piece)) await once(up, 'drain')
  }
  up.end()
  const [answer] = await answered
  for await (const _ of answer);

  const downloaded = createHash('sha256')
  const expected = createHash('sha256')
  for (let i = 0; i < megabytes; i++) expected.update(PIECE)
  const down = ask('GET', '/v1/files/file_large/content')
  down.end()
  const [content] = await once(down, 'response')
  for await (const chunk of content) downloaded.update(chunk)
  clearInterval(watch)
  await gateway.stop()
  account.stop()
  return {
    sentSha: sent.digest('hex'),
    receivedSha: account.received(),
    downloadedSha: downloaded.digest('hex'),
    expectedSha: expected.digest('hex'),
    grownMb: (most - before) / MB,
  }
}

function* pieces(megabytes: number): Generator<Buffer> {
  yield Buffer.from(HEAD)
  for (let i = 0; i < megabytes; i++) yield PIECE
  yield Buffer.from(TAIL)
}
