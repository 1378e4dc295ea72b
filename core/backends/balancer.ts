/** Chooses a backend for a call, and learns from how the call went. Choosing a usable one never waits. */
import type { Failure, Verdict } from '../calls/verdict.ts'
import type { MaybePromise } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { type Chosen, canServe, createChooser, lackOfAll } from './choosing.ts'
import { EVIDENCE_MS } from './health.ts'
import { accountKey } from './health-key.ts'
import { createLearning } from './learning.ts'
import { type BackendMemory, keysOf } from './memory.ts'
import type { BalancerParts, CheckFinding, Selection, Wanted } from './selection.ts'
import type { KeptRefusal } from './tries.ts'
import { type BackendStatus, viewOf } from './view.ts'

interface Adjustment {
  enabled?: boolean | undefined
  weight?: number | undefined
}

export interface Balancer {
  memory: BackendMemory
  /**
   * The best usable backend that was not tried yet: the same one for a conversation while it is usable. `answering`: only
   * one that gave anybody a first byte in the last two minutes.
   */
  select(wanted: Wanted, tried: ReadonlySet<string>, answering?: boolean): MaybePromise<Selection | undefined>
  /**
   * For when no backend is usable: a selection to be tried all the same, or the refusal that the last try got; undefined
   * when there is neither. Waits for 2 s at most.
   */
  tryAnyway(wanted: Wanted): Promise<{ selection: Selection } | { refusal: KeptRefusal } | undefined>
  /** Whether any backend serves the model at all. */
  serves(model: string): boolean
  /** The field of the call that no backend of its model can do; undefined if some backend can serve it as it is. */
  lack(wanted: Pick<Wanted, 'model' | 'uses' | 'bytes'>): string | undefined
  /** Whether any backend that serves the model offers it, as far as is known. */
  offers(model: string): boolean
  /** Why no backend can be tried: each one is disabled, or none offers the model. */
  whyNone(wanted: Wanted): 'disabled' | 'unavailable' | 'unusable'
  /** Whether the pair gave anybody a first byte after `since` (ms of the clock that never runs backwards). */
  answeredSince(backend: Backend, model: string, since: number): boolean
  isDisabled(backend: Backend): boolean
  /** Keeps what callers get who find no usable backend for this model in the next 10 s. */
  keepRefusal(backend: Backend, model: string, refusal: KeptRefusal): void
  /** The verdict, or `ours` when no enabled backend could be connected to within 5 s, because then the fault is here. */
  judged(backend: Backend, verdict: Failure): Failure
  /** What a check of our own found. */
  learnFromCheck(backend: Backend, found: CheckFinding): void
  /** Takes the backend's account out, because a call of our own confirmed `verdict`. */
  disable(backend: Backend, verdict: Extract<Verdict, { kind: 'account_refused' | 'account_unpaid' }>): void
  views(): BackendStatus[]
  /** Changes a backend until restart or reload. Answers whether there is one of this name. */
  adjust(name: string, change: Adjustment): boolean
  /** What was changed so, by the backend's name. */
  adjustments(): Iterable<[name: string, change: Adjustment]>
  /** Makes a backend half-open at once, because an administrator's check of it passed. */
  reopen(name: string): void
  /** Takes over what other processes know, and tells them what this one does. */
  refresh(): Promise<void>
}

const WAIT_FOR_TRY_MS = 2_000
const ALL_UNREACHABLE_MS = 5_000

export function createBalancer(parts: BalancerParts): Balancer {
  const { settings, memory, clock } = parts
  const { affinity, people, tries, inFlight, firstByteAt } = memory
  const backends = settings.backends.map((backend) => ({ ...backend }))
  memory.adopt(settings.backends, settings.health)
  const books = [memory.shared, memory.local]
  const adjusted = new Map<string, Adjustment>()
  const learning = createLearning(parts)
  const { choose, pairOf, serving, standing } = createChooser(parts, backends)

  function begin(wanted: Wanted, chosen: Chosen, giveBack?: () => void): Selection {
    const { backend, halfOpen, hash, home } = chosen
    const pair = pairOf(backend, wanted.model)
    const sentAt = clock.now()
    const alone = clock.elapsed() - people.othersAt(pair, wanted.person) > EVIDENCE_MS
    if (!wanted.teachesNothing) people.called(pair, wanted.person, clock.elapsed())
    inFlight.set(backend.name, (inFlight.get(backend.name) ?? 0) + 1)
    return {
      backend,
      isLastResort: giveBack !== undefined,
      heard: (headers) => memory.rates.heard(backend.name, headers, clock.now()),
      firstByte() {
        const elapsed = clock.elapsed()
        firstByteAt.set(pair, elapsed)
        firstByteAt.set(accountKey(backend.name), elapsed)
        if (halfOpen || giveBack) learning.opened(backend, pair)
        giveBack?.()
        if (hash === undefined || !wanted.conversation) return
        const now = clock.now()
        const idleUntil = now + wanted.conversation.cacheLifeMs
        const moved = home !== undefined && home !== backend.name
        const place = { backend: backend.name, moved, idleUntil, now }
        affinity.served({ person: wanted.person, conversation: hash, ...place })
      },
      done(verdict) {
        inFlight.set(backend.name, (inFlight.get(backend.name) ?? 1) - 1)
        if (verdict) {
          const { model, person } = wanted
          learning.learn({ backend, model, pair, person, alone, sentAt, trial: halfOpen, verdict })
        }
        giveBack?.()
      },
    }
  }

  async function selectHalfOpen(
    wanted: Wanted,
    tried: ReadonlySet<string>,
    answering: boolean,
    first: Chosen,
  ) {
    const lost = new Set(tried)
    for (let chosen: Chosen | undefined = first; chosen; chosen = choose(wanted, lost, answering)) {
      const { backend, halfOpen } = chosen
      const pair = pairOf(backend, wanted.model)
      if (!halfOpen || (await learning.claim(backend, pair, wanted.person))) return begin(wanted, chosen)
      lost.add(backend.name)
    }
    return undefined
  }

  function tryNow(wanted: Wanted) {
    const now = clock.now()
    const pairs: string[] = []
    for (const backend of serving(wanted)) {
      if (backend.weight === 0 && wanted.boundTo === undefined) continue
      const pair = pairOf(backend, wanted.model)
      const found = standing(backend, pair, now)
      const out = found === 'due' ? 'ejected' : found
      if (out !== 'ejected' && out !== 'cooling_down') continue
      pairs.push(pair)
      if (!wanted.teachesNothing) people.called(pair, wanted.person, clock.elapsed())
      const giveBack = tries.take(pair, wanted.person, out)
      if (!giveBack) continue
      const chosen = { backend, halfOpen: false, hash: undefined, home: undefined }
      return { selection: begin(wanted, chosen, giveBack), pairs }
    }
    return { selection: undefined, pairs }
  }

  return {
    memory,
    select(wanted, tried, answering = false) {
      const chosen = choose(wanted, tried, answering)
      if (!chosen?.halfOpen) return chosen && begin(wanted, chosen)
      return selectHalfOpen(wanted, tried, answering, chosen)
    },
    async tryAnyway(wanted) {
      for (const last of [false, true]) {
        const { selection, pairs } = tryNow(wanted)
        if (selection) return { selection }
        const refusal = tries.kept(pairs)
        if (refusal) return { refusal }
        if (last || !pairs.some((pair) => tries.underWay(pair))) return undefined
        await tries.nextEnd(pairs, WAIT_FOR_TRY_MS)
        const opened = await this.select(wanted, new Set())
        if (opened) return { selection: opened }
        const heard = tries.kept(pairs)
        if (heard) return { refusal: heard }
      }
      return undefined
    },
    lack: (wanted) => lackOfAll(wanted, backends),
    serves: (model) => backends.some((backend) => canServe(backend, model)),
    offers: (model) =>
      serving({ model, boundTo: undefined }).some(
        (backend) => standing(backend, pairOf(backend, model), clock.now()) !== 'unavailable',
      ),
    whyNone(wanted) {
      const found = new Set(
        serving(wanted).map((backend) => standing(backend, pairOf(backend, wanted.model), clock.now())),
      )
      if (found.size > 0 && [...found].every((state) => state === 'disabled' || state === 'unavailable')) {
        return found.has('disabled') ? 'disabled' : 'unavailable'
      }
      return 'unusable'
    },
    answeredSince: (backend, model, since) => (firstByteAt.get(pairOf(backend, model)) ?? -1) >= since,
    isDisabled: ({ name }) => memory.shared.get(accountKey(name))?.state === 'disabled',
    keepRefusal: (backend, model, refusal) => tries.keep(pairOf(backend, model), refusal),
    judged(backend, verdict) {
      if (verdict.kind !== 'account_unreachable') {
        memory.unreachableAt.delete(backend.url)
        return verdict
      }
      const now = clock.elapsed()
      memory.unreachableAt.set(backend.url, now)
      const none = backends.every(({ enabled, url }) => {
        return (
          !enabled || now - (memory.unreachableAt.get(url) ?? Number.NEGATIVE_INFINITY) <= ALL_UNREACHABLE_MS
        )
      })
      return none ? { kind: 'ours', reason: `no backend can be reached: ${verdict.reason}` } : verdict
    },
    learnFromCheck: learning.checked,
    disable: learning.disable,
    views: () => backends.map((backend) => viewOf(backend, memory, clock.now())),
    adjust(name, { enabled, weight }) {
      const backend = backends.find((candidate) => candidate.name === name)
      if (!backend) return false
      if (enabled !== undefined) backend.enabled = enabled
      if (weight !== undefined) backend.weight = weight
      adjusted.set(name, { enabled: backend.enabled, weight: backend.weight })
      return true
    },
    adjustments: () => adjusted,
    reopen(name) {
      for (const book of books) {
        for (const key of keysOf(book, name)) book.record(key, { kind: 'reset', at: clock.now() })
      }
    },
    refresh: learning.refresh,
  }
}
