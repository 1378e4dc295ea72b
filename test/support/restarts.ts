/** Gateways that are restarted one by one while calls come in. */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { startBalancer } from './balancer.ts'
import { startGateway, type TestGateway } from './gateway.ts'
import { startHrana } from './hrana.ts'
import { freePort } from './ports.ts'
import { HAS_REDIS, startRedis } from './redis.ts'
import { temporaryFolder } from './stores.ts'
import { type Ended, startTraffic } from './traffic.ts'
import { messageStream, startUpstream } from './upstream.ts'

/** Every start of a process takes seconds on a machine that is busy. */
const START = { timeout: 60_000 }

/** For gateways on one database server; workers share by their primary process. */
const SHARED_STORES = {
  health: { startup_check: 'off', store: 'database' },
  limits: { store: 'database' },
}

/** An upstream whose streams take about two seconds. */
export async function startSlowUpstream() {
  const upstream = await startUpstream()
  const frames = messageStream({ text: Array.from({ length: 8 }, () => 'word') })
  upstream.answer({ chunks: frames.flatMap((frame) => [frame, 150]) })
  return upstream
}

const inRedis = (url: string) => ({
  redis: { url },
  health: { startup_check: 'off', store: 'redis' },
  limits: { store: 'redis' },
})

/** Process ids of the workers of a gateway. */
export function workersOf({ process: { pid } }: TestGateway): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

export function countOf(gateway: TestGateway, event: string): number {
  return gateway.output().split(`"event":"${event}"`).length - 1
}

interface Load {
  /** Calls that begin. */
  perSecond: number
  rounds: number
}

/** Two workers that are replaced `rounds` times. Every process that served at the start has ended at the end. */
export async function restartWorkers({ perSecond, rounds }: Load): Promise<Ended> {
  const upstream = await startSlowUpstream()
  const gateway = await startGateway({
    backends: [{ name: 'a', url: upstream.url }],
    server: { port: await freePort(), host: '127.0.0.1', drain_delay: '4s', workers: 2 },
    health: { startup_check: 'off' },
  })
  await expect.poll(() => countOf(gateway, 'cluster.started'), START).toBe(1)
  const traffic = startTraffic({ url: () => gateway.url, key: gateway.key, perSecond })
  await expect.poll(traffic.underWay, START).toBeGreaterThan(perSecond / 4)
  for (let round = 1; round <= rounds; round++) {
    const before = workersOf(gateway)
    gateway.process.kill(round % 2 === 1 ? 'SIGUSR2' : 'SIGHUP')
    await expect.poll(() => countOf(gateway, 'cluster.restarted'), START).toBe(round)
    await expect.poll(() => workersOf(gateway).filter((pid) => before.includes(pid)), START).toEqual([])
  }
  const ended = await traffic.stop()
  expect((await gateway.rows(ended.answered)).filter(({ outcome }) => outcome !== 'ok')).toEqual([])
  await gateway.stop()
  await upstream.stop()
  return ended
}

/** Two gateways behind a balancer; each is stopped and started `rounds` times. */
export async function restartBalanced({ perSecond, rounds }: Load): Promise<Ended> {
  const upstream = await startSlowUpstream()
  const folder = temporaryFolder()
  const hrana = await startHrana(`${folder.path}/shared.db`)
  // Without Redis each call waits for the database, which serves one after the other.
  const redis = HAS_REDIS || process.env.CI ? await startRedis() : undefined
  const settings = {
    backends: [{ name: 'a', url: upstream.url }],
    database: { url: hrana.url, auth_token: hrana.token },
    // Longer than the balancer, which is of this process, may be kept from hearing of it on a machine that is busy.
    server: { port: 0, host: '127.0.0.1', drain_delay: '8s', drain_timeout: '30s' },
    ...(redis ? inRedis(redis.url) : SHARED_STORES),
  }
  const gateways = [await startGateway(settings), await startGateway(settings)]
  const balancer = await startBalancer(gateways.map((one) => () => one.url))
  await expect.poll(balancer.ready, START).toBe(2)
  const [{ key = '' } = {}] = gateways
  const traffic = startTraffic({ url: () => balancer.url, key, perSecond })
  await expect.poll(traffic.underWay, START).toBeGreaterThan(perSecond / 4)
  for (let round = 0; round < rounds; round++) {
    for (const gateway of gateways) {
      await gateway.restart()
      await expect.poll(balancer.ready, START).toBe(2)
    }
  }
  const ended = await traffic.stop()
  await balancer.stop()
  for (const gateway of gateways) await gateway.stop()
  await upstream.stop()
  await redis?.stop()
  await hrana.stop()
  folder.remove()
  return ended
}
