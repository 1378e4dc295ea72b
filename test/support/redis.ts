/** A real Redis (Debian's redis-server) on a free port, for as long as a test wants it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { isInstalled } from './installed.ts'
import { freePort } from './ports.ts'

export const HAS_REDIS = isInstalled('redis-server')

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

export interface RedisCluster {
  /** Of one of its nodes. */
  url: string
  /** How many keys each node has. */
  sizes(): Promise<number[]>
  flush(): Promise<void>
  stop(): Promise<void>
}

const SLOTS = 16_384

/** A cluster of three nodes, each with a third of the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  if (!HAS_REDIS) throw new Error('There is no redis-server: apt-get install redis-server')
  const folder = mkdtempSync(join(tmpdir(), 'redis-cluster-'))
  const ports = [await freePort(), await freePort(), await freePort()]
  const children = await Promise.all(
    ports.map(async (port) => {
      const cluster = ['--cluster-enabled', 'yes', '--cluster-config-file', `${port}.conf`]
      const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--dir', folder]
      // By default that of clients and 10,000, which may be no port.
      const bus = ['--cluster-port', `${await freePort()}`]
      return spawn('redis-server', [...options, ...cluster, ...bus], { stdio: 'ignore' })
    }),
  )
  const nodes = ports.map((port) => {
    const node = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
    node.on('error', () => {})
    return node
  })
  const [first] = nodes
  const busOf = async (node: Redis) => /@(\d+)/.exec(`${await node.cluster('NODES')}`)?.[1] ?? ''
  for (const [at, node] of nodes.entries()) {
    const from = Math.floor((at * SLOTS) / nodes.length)
    const to = Math.floor(((at + 1) * SLOTS) / nodes.length) - 1
    await node.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
    await first?.call('CLUSTER', 'MEET', '127.0.0.1', `${ports[at]}`, await busOf(node))
  }
  const isWhole = async (node: Redis) => `${await node.call('CLUSTER', 'INFO')}`.includes('cluster_state:ok')
  while (!(await Promise.all(nodes.map(isWhole))).every(Boolean)) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    url: `redis://127.0.0.1:${ports[0]}`,
    sizes: () => Promise.all(nodes.map((node) => node.dbsize())),
    async flush() {
      for (const node of nodes) await node.flushall()
    },
    async stop() {
      for (const node of nodes) node.disconnect()
      for (const child of children) {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        await exited
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
