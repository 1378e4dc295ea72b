/** Chooses a backend for a session and remembers, through the health store, which ones fail. Choosing never waits. */
import { matchesAny } from '../glob.ts'
import type { Backend, Policy } from '../policy.ts'
import type { Clock, HealthStore, Logger } from '../ports.ts'
import { createSessionMemory, unit } from './affinity.ts'
import { type Health, type HealthState, isDue, isUsable, nextHealth, type Verdict } from './health.ts'

/** A chosen backend. `done` must be called exactly once, when the call is over; a verdict tells how it went. */
export interface Lease {
  backend: Backend
  done(verdict: Verdict | undefined): void
}

export interface BackendView {
  backend: Backend
  state: HealthState
  reason: string
  failures: number
  until: number
  inFlight: number
}

export interface Balancer {
  /** The same session gets the same backend while that one is usable; sessions spread by weight. */
  pick(call: { session: string | undefined; model: string }, tried: ReadonlySet<string>): Lease | undefined
  /** Whether any enabled backend serves the model at all. */
  serves(model: string): boolean
  /** Takes note of a verdict that came without a lease: a check, or a failure seen after the call. */
  report(backend: Backend, model: string | undefined, verdict: Verdict): Promise<void>
  /** Ms until the first backend for this model may be usable again; undefined when that cannot be told. */
  restMs(model: string): number | undefined
  /** Backends that are out and due for a check. */
  due(): Backend[]
  views(): BackendView[]
  /** Changes a backend until restart or reload. Answers whether there is one of this name. */
  adjust(name: string, change: { enabled?: boolean | undefined; weight?: number | undefined }): boolean
  /** Takes over what other processes know. */
  refresh(): Promise<void>
}

/** When to come again while a check is on its way. */
const CHECK_TAKES_MS = 1_000

interface Learnt {
  key: string
  verdict: Verdict
  at: number
}

export function createBalancer(parts: {
  policy: Pick<Policy, 'backends' | 'health' | 'balancer'>
  store: HealthStore
  clock: Clock
  logger: Logger
  /** A number in [0, 1). */
  random: () => number
  /** Keeps the runtime alive until the work is done. */
  waitUntil(work: Promise<unknown>): void
}): Balancer {
  const { policy, store, clock, logger, random, waitUntil } = parts
  const backends = policy.backends.map((backend) => ({ ...backend }))
  const inFlight = new Map<string, number>()
  const onTrial = new Set<string>()
  const sessions = createSessionMemory()
  let known: ReadonlyMap<string, Health> = new Map()
  let queue: Promise<void> = Promise.resolve()
  const pending = new Set<Learnt>()

  /** What is on its way to the store counts here at once: the next call must not meet what this one met. */
  const current = (): ReadonlyMap<string, Health> => {
    if (pending.size === 0) return known
    const all = new Map(known)
    for (const { key, verdict, at } of pending) {
      const next = nextHealth(all.get(key), verdict, at, policy.health)
      if (next) all.set(key, next)
    }
    return all
  }
  const healthOf = (backend: Backend) => current().get(backend.name)
  const parkedFor = (backend: Backend, model: string) => current().get(parkingKey(backend, model))
  const canServe = (backend: Backend, model: string) =>
    backend.models.length === 0 || matchesAny(backend.models, model)

  function lease(backend: Backend, model: string, trial: boolean): Lease {
    inFlight.set(backend.name, (inFlight.get(backend.name) ?? 0) + 1)
    if (trial) onTrial.add(backend.name)
    return {
      backend,
      done(verdict) {
        inFlight.set(backend.name, (inFlight.get(backend.name) ?? 1) - 1)
        if (trial) onTrial.delete(backend.name)
        if (verdict) void report(backend, model, verdict)
      },
    }
  }

  /** One at a time within this process, so that no failure is lost; other processes are met by `swap`. */
  function report(backend: Backend, model: string | undefined, verdict: Verdict): Promise<void> {
    const key = verdict.kind === 'parked' ? parkingKey(backend, model ?? '') : backend.name
    const learnt = { key, verdict, at: clock.now() }
    if (!nextHealth(current().get(key), verdict, learnt.at, policy.health)) return queue
    pending.add(learnt)
    queue = queue.then(() => write(learnt)).finally(() => pending.delete(learnt))
    waitUntil(queue)
    return queue
  }

  async function write(learnt: Learnt) {
    const { key, verdict, at } = learnt
    for (let attempt = 0; attempt < 5; attempt++) {
      const seen = known.get(key)
      const next = nextHealth(seen, verdict, at, policy.health)
      if (!next) return
      try {
        if (!(await store.swap(key, seen, next))) {
          known = await store.read()
          continue
        }
      } catch (cause) {
        logger.warn('health.store_failed', { cause: String(cause) })
      }
      pending.delete(learnt)
      known = new Map(known).set(key, next)
      if (next.state !== (seen?.state ?? 'healthy')) {
        logger.warn('backend.state', { backend: key, state: next.state, reason: next.reason })
      }
      return
    }
  }

  return {
    pick({ session, model }, tried) {
      const now = clock.now()
      const sticky = session !== undefined && policy.balancer.strategy === 'sticky'
      const last = sticky ? sessions.last(session) : undefined
      let best: Backend | undefined
      let bestScore = 0
      let trial: Backend | undefined
      for (const backend of backends) {
        if (!backend.enabled || tried.has(backend.name) || !canServe(backend, model)) continue
        // Weight 0 drains: only sessions that it has already.
        if (backend.weight === 0 && last !== backend.name) continue
        if (!isUsable(parkedFor(backend, model), now)) continue
        const health = healthOf(backend)
        if (isUsable(health, now)) {
          const draw = sticky ? unit(session, backend.name) : random()
          // Weighted rendezvous: the largest weight / -ln(u) wins, which gives each backend its share of sessions
          // and moves only the sessions of a backend that went away.
          const score =
            backend.weight === 0 ? Number.MAX_VALUE : backend.weight / -Math.log(draw || Number.MIN_VALUE)
          if (score > bestScore) [best, bestScore] = [backend, score]
        } else if (health?.state === 'ejected' && isDue(health, now) && !onTrial.has(backend.name)) {
          trial ??= backend
        }
      }
      const chosen = best ?? trial
      if (!chosen) return undefined
      if (sticky) sessions.remember(session, chosen.name)
      return lease(chosen, model, !best)
    },
    serves: (model) => backends.some((backend) => canServe(backend, model)),
    report,
    restMs(model) {
      const now = clock.now()
      const waits = backends
        .filter((backend) => backend.enabled && backend.weight > 0 && canServe(backend, model))
        .flatMap((backend) => [healthOf(backend), parkedFor(backend, model)])
        .flatMap((health) => {
          if (health?.state === 'disabled') return health.until <= now ? CHECK_TAKES_MS : []
          return health && health.until > now ? health.until - now : []
        })
      return waits.length > 0 ? Math.min(...waits) : undefined
    },
    due: () => backends.filter((backend) => backend.enabled && isDue(healthOf(backend), clock.now())),
    views: () => backends.map((backend) => view(backend, current(), inFlight, clock.now())),
    adjust(name, { enabled, weight }) {
      const backend = backends.find((candidate) => candidate.name === name)
      if (backend && enabled !== undefined) backend.enabled = enabled
      if (backend && weight !== undefined) backend.weight = weight
      return backend !== undefined
    },
    async refresh() {
      known = await store.read()
    },
  }
}

/** Rate limits of the upstream are per model, so a backend rests only for the model that met one. */
function parkingKey(backend: Backend, model: string): string {
  return `${backend.name} ${model}`
}

function view(
  backend: Backend,
  known: ReadonlyMap<string, Health>,
  inFlight: ReadonlyMap<string, number>,
  now: number,
): BackendView {
  const own = known.get(backend.name)
  const parked = [...known].find(
    ([key, health]) =>
      key.startsWith(`${backend.name} `) && health.state === 'cooling_down' && health.until > now,
  )?.[1]
  const health = own && own.state !== 'healthy' ? own : (parked ?? own)
  return {
    backend,
    state: backend.enabled ? (health?.state ?? 'healthy') : 'disabled',
    reason: backend.enabled ? (health?.reason ?? '') : 'switched off',
    failures: own?.failures ?? 0,
    until: health?.until ?? 0,
    inFlight: inFlight.get(backend.name) ?? 0,
  }
}
