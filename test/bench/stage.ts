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
/** Every worker has read a new key after this time. */
const KEY_READ_MS = 1_500
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

/** Where processes run, if this machine has `taskset` and more than one core. */
function createPins() {
  const cores = cpus().length
  const pinned = cores > 1 && spawnSync('taskset', ['--version']).status === 0
  const pinTo = (list: string) => (pid: number) => {
    if (!pinned) return
    for (const one of processTree(pid)) spawnSync('taskset', ['-a', '-c', '-p', list, String(one)])
  }
  return {
    pinned,
    subject: pinTo('0'),
    /** Load, upstream and the bench itself. */
    others: pinTo(cores > 2 ? `1-${cores - 1}` : '1'),
    everywhere: pinTo(`0-${cores - 1}`),
  }
}

async function child(file: string, ...args: string[]) {
  const started = fork(join(import.meta.dirname, file), args)
  const [port] = await once(started, 'message')
  return { started, port: Number(port), pid: started.pid ?? 0 }
}

export async function openStage(): Promise<Stage> {
  const pins = createPins()
  const upstream = await child('upstream.ts')
  const loader = await child('load.ts')
  for (const pid of [process.pid, upstream.pid, loader.pid]) pins.others(pid)
  const stopping: (() => Promise<unknown>)[] = []
  const upstreamUrl = `http://127.0.0.1:${upstream.port}`
  async function clear() {
    for (const stop of stopping.splice(0)) await stop()
  }
  return {
    upstreamUrl,
    pinned: pins.pinned,
    load: (job) => ask(loader.started, job),
    async startPipe() {
      const { started, port, pid } = await child('pipe.ts', String(upstream.port))
      stopping.push(async () => started.kill('SIGKILL'))
      pins.subject(pid)
      return { port, pid, key: 'none' }
    },
    async startGateway(settings = {}, everywhere = false) {
      const made = await openGateway(upstreamUrl, settings, everywhere ? pins.everywhere : pins.subject)
      stopping.push(made.gateway.stop)
      return made
    },
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

/** A gateway with everything on and a key without limits that matter. */
async function openGateway(url: string, settings: object, pin: (pid: number) => void): Promise<Gateway> {
  const gateway = await startGateway({
    backends: ['a', 'b'].map((name) => ({ name, url })),
    limits: { requests_per_minute: 1_000_000, concurrent_requests: 100_000 },
    server: { port: await freePort(), host: '127.0.0.1', drain_delay: 0, drain_timeout: '5s' },
    ...settings,
  })
  const { secret: key } = await gateway.newKey(UNLIMITED)
  const place = () => {
    const pid = gateway.process.pid ?? 0
    pin(pid)
    return { pid, port: Number(new URL(gateway.url).port) }
  }
  const made: Gateway = {
    gateway,
    key,
    ...place(),
    async restart() {
      await gateway.restart()
      Object.assign(made, place())
    },
  }
  await sleep(KEY_READ_MS)
  return made
}

async function ask(loader: ChildProcess, job: Job): Promise<Done> {
  const { port, key } = job.target
  loader.send({ ...job, target: { port, key } })
  const [{ done, failed }] = await once(loader, 'message')
  if (failed !== undefined) throw new Error(`the load failed: ${failed}`)
  return done
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
