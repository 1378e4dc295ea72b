/** Proxies that note what they were asked for, and a server that speaks TLS before another one. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import { temporaryFolder } from './stores.ts'

export interface TestProxy {
  port: number
  /** Each connection through it: where to, and by whom ('' = nobody). */
  asked: { to: string; user: string }[]
  /** All bytes that came from clients. */
  seen(): string
  /** From now on it refuses everybody. */
  refuse(): void
  stop(): Promise<void>
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port // it listens on a port
}

async function stopped(server: Server, sockets: Set<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  server.close()
  await once(server, 'close')
}

function joined(client: Socket, to: { host: string; port: number }, seen: Buffer[], ready: () => void): void {
  const upstream = connect(to.port, to.host, ready)
  client.on('data', (data: Buffer) => seen.push(data))
  client.pipe(upstream).pipe(client)
  for (const socket of [client, upstream]) {
    socket.on('error', () => {})
    socket.on('close', () => {
      client.destroy()
      upstream.destroy()
    })
  }
}

/** An HTTP proxy for CONNECT. */
export async function startHttpProxy(): Promise<TestProxy> {
  const asked: TestProxy['asked'] = []
  const seen: Buffer[] = []
  const sockets = new Set<Socket>()
  let refuses = false
  const server = createServer()
  server.on('connection', (socket) => sockets.add(socket))
  server.on('connect', (request, socket: Socket) => {
    const [, basic = ''] = /^Basic (.*)$/.exec(request.headers['proxy-authorization'] ?? '') ?? []
    asked.push({ to: request.url ?? '', user: Buffer.from(basic, 'base64').toString() })
    if (refuses) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const { hostname, port } = new URL(`http://${request.url}`)
    joined(socket, { host: hostname, port: Number(port) }, seen, () =>
      socket.write('HTTP/1.1 200 OK\r\n\r\n'),
    )
  })
  return {
    port: await listening(server),
    asked,
    seen: () => Buffer.concat(seen).toString('latin1'),
    refuse() {
      refuses = true
    },
    stop: () => stopped(server, sockets),
  }
}

/** A SOCKS5 proxy (RFC 1928, RFC 1929) that wants a user and a password, and names of hosts. */
export async function startSocksProxy(): Promise<TestProxy> {
  const asked: TestProxy['asked'] = []
  const seen: Buffer[] = []
  const sockets = new Set<Socket>()
  let refuses = false
  const server = createTcp(async (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    const next = async (): Promise<Buffer> => (await once(socket, 'data'))[0]
    await next()
    socket.write(Buffer.from([5, 2]))
    const login = await next()
    const nameLength = login[1] ?? 0
    const user = `${login.subarray(2, 2 + nameLength)}:${login.subarray(3 + nameLength)}`
    socket.write(Buffer.from([1, refuses ? 1 : 0]))
    if (refuses) return
    const request = await next()
    const length = request[4] ?? 0
    const host = request.subarray(5, 5 + length).toString()
    const port = request.readUInt16BE(5 + length)
    asked.push({ to: `${host}:${port}`, user })
    joined(socket, { host, port }, seen, () => socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0])))
  })
  return {
    port: await listening(server),
    asked,
    seen: () => Buffer.concat(seen).toString('latin1'),
    refuse() {
      refuses = true
    },
    stop: () => stopped(server, sockets),
  }
}

/** A server at https://localhost that hands on to the one at `url`; `ca`: a file with its certificate. */
export async function startTls(url: string): Promise<{ url: string; ca: string; stop(): Promise<void> }> {
  const folder = temporaryFolder()
  const [key, ca] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
      '-keyout',
      key,
      '-out',
      ca,
    ],
    { stdio: 'ignore' },
  )
  const sockets = new Set<Socket>()
  const server = createTls({ key: readFileSync(key), cert: readFileSync(ca) }, (socket) => {
    sockets.add(socket)
    const { hostname, port } = new URL(url)
    joined(socket, { host: hostname, port: Number(port) }, [], () => {})
  })
  const port = await listening(server)
  return {
    url: `https://localhost:${port}`,
    ca,
    async stop() {
      await stopped(server, sockets)
      folder.remove()
    },
  }
}
