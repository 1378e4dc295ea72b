/** Processes: how many workers, how they start, what they need when nobody calls. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sendLargeBodies } from '../../support/large-bodies.ts'
import { freePort } from '../../support/ports.ts'
import { HAS_REDIS, startRedis } from '../../support/redis.ts'
import { cpuMicros, median, processTree, quantile, residentBytes } from '../measure.ts'
import { byTurns } from '../rounds.ts'
import type { Scenario } from '../scenario.ts'
import { type Gateway, ofEach, type Stage } from '../stage.ts'

const MB = 2 ** 20
const IDLE_MS = 1_500

const placed = async (workers: number) => ({
  server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, drain_timeout: '5s', workers },
})
const storedIn = (store: string) => ({
  limits: { store, requests_per_minute: 1_000_000, concurrent_requests: 100_000 },
  health: { store: store === 'local' ? 'memory' : store },
})

/** Calls a second of a gateway that may use every core, as do load and upstream. */
async function throughput(stage: Stage, gateway: Gateway, total: number) {
  let taken = { ms: 1, callMs: [0] }
  const cpu = await stage.cpuOf(gateway, async () => {
    taken = await stage.load({ kind: 'calls', target: gateway, question: 'small', total, parallel: 32 })
  })
  const { ms, callMs } = taken
  return {
    calls_a_second: (1_000 * total) / ms,
    cpu_us: cpu / total,
    p50_ms: median(callMs),
    p99_ms: quantile(callMs, 0.99),
  }
}

const workers: Scenario = {
  about: 'calls a second with 32 connections, limits on; load and upstream on the same cores',
  ratios: [
    ['2 workers', '1 worker'],
    ['2 workers, database', '1 worker'],
    ['1 worker, Redis', '1 worker'],
    ['2 workers, Redis', '1 worker'],
  ],
  async run(stage, scale) {
    const start = async (workers: number, store = 'local', more: object = {}) =>
      stage.startGateway({ ...(await placed(workers)), ...storedIn(store), ...more }, true)
    const redis = HAS_REDIS ? await startRedis() : undefined
    const inRedis = redis && { redis: { url: redis.url } }
    const subjects = {
      '1 worker': await start(1),
      '1 worker again': await start(1),
      '2 workers': await start(2),
      '2 workers again': await start(2),
      '2 workers, database': await start(2, 'database'),
      ...(inRedis && {
        '1 worker, Redis': await start(1, 'redis', inRedis),
        '2 workers, Redis': await start(2, 'redis', inRedis),
      }),
    }
    const slow: Gateway = subjects['2 workers, database']
    const total = scale.share(2_000)
    const rounds = await byTurns(
      ofEach<Gateway>(subjects, (one) => throughput(stage, one, one === slow ? total / 10 : total)),
      { rounds: scale.rounds, before: 4 * scale.before },
    )
    await stage.clear()
    await redis?.stop()
    return rounds
  },
}

const start: Scenario = {
  about:
    'from the start of a process to the end of its first answer; memory of all its processes when nobody calls',
  ratios: [['gateway', 'pipe']],
  async run(stage, { rounds }) {
    const gateway = await stage.startGateway()
    const measure = async (startedAt: number, subject: { port: number; pid: number; key: string }) => {
      await stage.load({ kind: 'calls', target: subject, question: 'small', total: 1, parallel: 1 })
      const startMs = performance.now() - startedAt
      const cpu = cpuMicros(subject.pid)
      await sleep(IDLE_MS)
      const bytes = processTree(subject.pid).reduce((sum, pid) => sum + residentBytes(pid), 0)
      return { start_ms: startMs, start_cpu_ms: cpu / 1_000, idle_mb: bytes / MB }
    }
    return byTurns(
      {
        async pipe() {
          const startedAt = performance.now()
          return measure(startedAt, await stage.startPipe())
        },
        async gateway() {
          await gateway.gateway.end('SIGTERM')
          const startedAt = performance.now()
          await gateway.restart()
          return measure(startedAt, gateway)
        },
      },
      { rounds },
    )
  },
}

const largeBodies: Scenario = {
  about: 'memory of 40 calls of 31 MB at once, on a gateway that is limited as in a container of 512 MB',
  ratios: [],
  run: async () =>
    byTurns(
      {
        async gateway() {
          const { beforeMb, mostMb, afterMb } = await sendLargeBodies()
          return { before_mb: beforeMb, most_mb: mostMb, after_mb: afterMb }
        },
      },
      { rounds: 1 },
    ),
}

export const PROCESSES: Readonly<Record<string, Scenario>> = { workers, start, 'large bodies': largeBodies }
