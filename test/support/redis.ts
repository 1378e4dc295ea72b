/** A real Redis (Debian's redis-server) on a free port, for as long as a test wants it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Redis } from 'ioredis'

export const HAS_REDIS = spawnSync('redis-server', ['--version']).status === 0

export interface RealRedis {
  url: string
  flush(): Promise<void>
  /** Ends the server; `start` brings it back, empty. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** Throws when there is no redis-server: a run of everything must not pass without it. */
export async function startRedis(): Promise<RealRedis> {
  if (!HAS_REDIS) throw new Error('There is no redis-server: apt-get install redis-server')
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  let child: ReturnType<typeof spawn> | undefined
  const start = async () => {
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    child = spawn('redis-server', options, { stdio: 'ignore' })
    const probe = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null })
    probe.on('error', () => {})
    await probe.ping()
    probe.disconnect()
  }
  await start()
  return {
    url,
    start,
    async flush() {
      const client = new Redis(url)
      await client.flushall()
      client.disconnect()
    },
    async stop() {
      if (!child || child.exitCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      child = undefined
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // it listens on a port
  server.close()
  await once(server, 'close')
  return port
}
