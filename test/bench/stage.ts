/** The processes of a bench: upstream and load, the pipe and the gateway in as many copies as a scenario wants. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import type { Done, Job, Target } from './load.ts'
import { cpuMicros, processTree } from './measure.ts'
import type { Metrics } from './rounds.ts'

/** What is written behind the answers, and belongs to them, is written after this time. */
const SETTLED_MS = 400
const UNLIMITED = { budgetMicros: 1e15, quotaTokens: 1e15 }

/** Something between load and upstream. */
export interface Subject extends Target {
  pid: number
}
export interface Gateway extends Subject {
  gateway: TestGateway
  /** Ends it and starts it again on the same data, as another process. */
  restart(): Promise<void>
}

export interface Stage {
  upstreamUrl: string
  /** Whether subjects have a core of their own, and load and upstream the others. */
  pinned: boolean
  /** Does a job and answers how long its parts took. Rejects when a call fails. */
  load(job: Job): Promise<Done>
  startPipe(): Promise<Subject>
  /** `everywhere`: it is not pinned, because it has several processes. */
  startGateway(settings?: object, everywhere?: boolean): Promise<Gateway>
  /** CPU in µs that a subject uses for the work and for what it writes behind it. */
  cpuOf(subject: Subject, work: () => Promise<unknown>): Promise<number>
  /** Ends what was started since the last time. */
  clear(): Promise<void>
  stop(): Promise<void>
}

const hasTaskset = spawnSync('taskset', ['--version']).status === 0

function pin(pid: number, cores: string): void {
  for (const one of processTree(pid)) spawnSync('taskset', ['-a', '-c', '-p', cores, String(one)])
}

async function child(file: string, ...args: string[]) {
  const started = fork(join(import.meta.dirname, file), args)
  const [port] = await once(started, 'message')
  return { started, port: Number(port), pid: started.pid ?? 0 }
}

export async function openStage(): Promise<Stage> {
  const cores = cpus().length
  const pinned = cores > 1 && hasTaskset
  const [first, others] = ['0', cores > 2 ? `1-${cores - 1}` : '1']
  const upstream = await child('upstream.ts')
  const loader = await child('load.ts')
  if (pinned) for (const pid of [process.pid, upstream.pid, loader.pid]) pin(pid, others)
  const stopping: (() => Promise<unknown>)[] = []
  const pinSubject = (pid: number, everywhere = false) => {
    if (pinned) pin(pid, everywhere ? `0-${cores - 1}` : first)
  }
  const upstreamUrl = `http://127.0.0.1:${upstream.port}`

  async function openGateway(settings: object, everywhere: boolean): Promise<Gateway> {
    const gateway = await startGateway({
      backends: ['a', 'b'].map((name) => ({ name, url: upstreamUrl })),
      limits: { requests_per_minute: 1_000_000, concurrent_requests: 100_000 },
      server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, drain_timeout: '5s' },
      ...settings,
    })
    stopping.push(gateway.stop)
    const { secret: key } = await gateway.newKey(UNLIMITED)
    const pid = () => gateway.process.pid ?? 0
    pinSubject(pid(), everywhere)
    const made: Gateway = {
      gateway,
      key,
      pid: pid(),
      port: portOf(gateway),
      async restart() {
        await gateway.restart()
        Object.assign(made, { pid: pid(), port: portOf(gateway) })
        pinSubject(pid(), everywhere)
      },
    }
    // Until every worker has read the key.
    await sleep(1_500)
    return made
  }

  async function clear() {
    for (const stop of stopping.splice(0)) await stop()
  }

  return {
    upstreamUrl,
    pinned,
    load: (job) => ask(loader.started, job),
    async startPipe() {
      const { started, port, pid } = await child('pipe.ts', String(upstream.port))
      stopping.push(async () => started.kill('SIGKILL'))
      pinSubject(pid)
      return { port, pid, key: 'none' }
    },
    startGateway: (settings = {}, everywhere = false) => openGateway(settings, everywhere),
    async cpuOf({ pid }, work) {
      const before = cpuMicros(pid)
      await work()
      await sleep(SETTLED_MS)
      return cpuMicros(pid) - before
    },
    clear,
    async stop() {
      await clear()
      for (const { started } of [upstream, loader]) started.kill('SIGKILL')
    },
  }
}

async function ask(loader: ChildProcess, job: Job): Promise<Done> {
  const { port, key } = job.target
  loader.send({ ...job, target: { port, key } })
  const [{ done, failed }] = await once(loader, 'message')
  if (failed !== undefined) throw new Error(`the load failed: ${failed}`)
  return done
}

function portOf(gateway: TestGateway): number {
  return Number(new URL(gateway.url).port)
}

/** What most scenarios compare: two copies of the pipe and two of the gateway. */
export async function startCopies(stage: Stage) {
  return {
    pipe: await stage.startPipe(),
    'pipe again': await stage.startPipe(),
    gateway: await stage.startGateway(),
    'gateway again': await stage.startGateway(),
  }
}

/** The same measurement of each subject, as variants of their names. */
export function ofEach<S extends Subject>(
  subjects: Readonly<Record<string, S>>,
  measure: (subject: S) => Promise<Metrics>,
): Record<string, () => Promise<Metrics>> {
  return Object.fromEntries(Object.entries(subjects).map(([name, subject]) => [name, () => measure(subject)]))
}
