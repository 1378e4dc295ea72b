/** What a verdict does to the health of an account and of a (backend, model). */
import type { Verdict } from '../calls/verdict.ts'
import type { Backend } from '../settings.ts'
import { NOBODY } from './health.ts'
import type { HealthBook } from './health-book.ts'
import type { HealthEvent } from './health-change.ts'
import { accountKey, OTHER_MODEL, partsOf } from './health-key.ts'
import type { BalancerParts, CheckFinding } from './selection.ts'

interface Learned {
  backend: Backend
  model: string
  pair: string
  person: number
  /** Nobody else called there in the last minute. */
  alone: boolean
  /** Ms since 1970. */
  sentAt: number
  /** It was the half-open call. */
  trial: boolean
  verdict: Verdict
}

/** The end of what does not end by itself (ms): databases and JSON hold it exactly. */
const FOR_GOOD = Number.MAX_SAFE_INTEGER

/** States of an account that takes no calls, or one at a time to see whether it does again. */
const OUT: readonly string[] = ['ejected', 'disabled', 'half_open']

export function createLearning(parts: BalancerParts) {
  const { memory, clock } = parts
  const { shared, local } = memory
  const books = [shared, local]
  let sinceMoves = 0

  function record(book: HealthBook, key: string, event: HealthEvent) {
    const changed = book.record(key, event)
    if (!changed || changed.after.state === (changed.before?.state ?? 'healthy')) return changed
    tellState(parts, key, changed)
    return changed
  }
  function both(keys: readonly string[], event: HealthEvent) {
    for (const book of books) {
      if (book.size() === 0) continue
      for (const key of keys) if (book.get(key)) record(book, key, event)
    }
  }

  function failed({ backend, pair, person, alone, trial }: Learned, reason: string, book: HealthBook) {
    const at = clock.now()
    const changed = record(book, pair, { kind: 'failed', at, person, alone, trial, reason })
    // The half-open call may have been for the account and not for the pair.
    const account = book.get(accountKey(backend.name))?.state
    if (trial && (account === 'ejected' || account === 'disabled')) {
      record(book, accountKey(backend.name), { kind: 'failed', at, person, alone, trial, reason })
    }
    if (changed?.after.state === 'ejected' && changed.before?.state !== 'ejected') ejectAccount(backend, book)
  }
  /**
   * Ejects the account when two of its models are ejected by failures of several people, and none of its models has
   * served a call since the first of them was.
   */
  function ejectAccount({ name }: Backend, book: HealthBook) {
    const ejected = [...book.entries()].filter(([key, { state, cause }]) => {
      const { backend, model } = partsOf(key)
      const counts = model !== undefined && model !== OTHER_MODEL
      return backend === name && counts && state === 'ejected' && cause === 'failures'
    })
    const first = Math.min(...ejected.map(([, { since }]) => since))
    if (ejected.length < 2 || (memory.servedAt.get(name) ?? 0) >= first) return
    const reason = `${ejected.length} models failed`
    const event = { kind: 'ejected', at: clock.now(), reason } as const
    void book.claim(accountKey(name), event).then((won) => {
      if (won) parts.onOutage({ backend: name, state: 'ejected', reason })
    })
  }
  function unreachable({ name }: Backend, trial: boolean, reason: string) {
    const key = accountKey(name)
    const event = { kind: 'failed', at: clock.now(), person: NOBODY, alone: true, trial, reason } as const
    const changed = record(local, key, event)
    if (changed?.after.state === 'ejected' && changed.before?.state !== 'ejected') {
      parts.onOutage({ backend: name, state: 'ejected', reason })
    }
  }

  return {
    learn(learned: Learned) {
      const { backend, model, pair, person, sentAt, trial, verdict } = learned
      const at = clock.now()
      switch (verdict.kind) {
        case 'served':
          memory.servedAt.set(backend.name, at)
          return both([pair, accountKey(backend.name)], { kind: 'succeeded', at, sentAt })
        case 'callers':
          // The backend was reached and took our credential; whether it can serve the model stays open.
          if (local.get(accountKey(backend.name)))
            record(local, accountKey(backend.name), { kind: 'succeeded', at, sentAt })
          if (trial && shared.get(accountKey(backend.name))?.cause === 'refused')
            record(shared, accountKey(backend.name), { kind: 'succeeded', at, sentAt })
          return
        case 'account_unreachable':
          return unreachable(backend, trial, verdict.reason)
        case 'account_refused':
        case 'account_unpaid':
          // A call of our own has to confirm this before the account is disabled; one that is disabled waits for longer.
          if (trial && shared.get(accountKey(backend.name))?.state === 'disabled')
            disable(backend, verdict, person)
          return
        case 'pair_failed':
          return failed(learned, verdict.reason, verdict.fromNetwork ? local : shared)
        case 'pair_cooldown': {
          const { reason, untilMs } = verdict
          if (untilMs !== undefined) record(shared, pair, { kind: 'cooldown', at, until: untilMs, reason })
          else record(shared, pair, { kind: 'doubted', what: 'rate', at, person, reason })
          return
        }
        case 'model_not_offered':
          return parts.checkModel(backend, model, person)
        case 'foreign':
        case 'ours':
          return
      }
    },
    opened(backend: Backend, pair: string) {
      both([pair, accountKey(backend.name)], { kind: 'opened', at: clock.now() })
    },
    /** Makes the call of this person the half-open one, wherever the account or the pair is due. */
    async claim(backend: Backend, pair: string, person: number): Promise<boolean> {
      const at = clock.now()
      for (const book of books) {
        for (const key of [accountKey(backend.name), pair]) {
          const { state } = book.get(key) ?? { state: 'healthy' }
          if (state !== 'ejected' && state !== 'disabled') continue
          if (!(await book.claim(key, { kind: 'claimed', at, person }))) return false
        }
      }
      return true
    },
    checked(backend: Backend, found: CheckFinding) {
      const key = accountKey(backend.name)
      const at = clock.now()
      if (found.kind === 'refused') {
        const { reason, forGood } = found
        const until = forGood ? FOR_GOOD : undefined
        const event = { kind: 'disabled', at, cause: 'refused', person: NOBODY, reason, until } as const
        tellOnce(backend, record(shared, key, event))
      } else if (found.kind === 'down') {
        const changed = record(local, key, { kind: 'ejected', at, reason: found.reason })
        if (changed) parts.onOutage({ backend: backend.name, state: 'ejected', reason: found.reason })
      }
    },
    disable: (backend: Backend, denial: Denial) => disable(backend, denial, NOBODY),
    async refresh() {
      const { affinity, store } = memory
      await shared.refresh()
      const now = clock.now()
      await tellMoves(memory, now)
      affinity.learn(await store.movedSince(sinceMoves))
      // The last five seconds are read again next time, because another process's clock may be behind.
      sinceMoves = now - 5_000
      affinity.sweep(now)
    },
  }

  function disable(backend: Backend, denial: Denial, person: number) {
    tellOnce(backend, record(shared, accountKey(backend.name), disabledBy(denial, clock.now(), person)))
  }
  function tellOnce({ name }: Backend, changed: ReturnType<HealthBook['record']>) {
    if (!changed || changed.before?.state === 'disabled') return
    const { reason, cause } = changed.after
    const unpaid = cause === 'unpaid' ? { unpaid: true } : {}
    parts.onOutage({ backend: name, state: 'disabled', reason, ...unpaid })
  }
}

/** Tells other processes of the conversations that moved. */
async function tellMoves({ affinity, store }: BalancerParts['memory'], now: number): Promise<void> {
  const moves = affinity.unstored()
  if (moves.length === 0) return
  try {
    await store.move(moves, now)
  } catch (cause) {
    affinity.notStored(moves)
    throw cause
  }
}

function tellState(
  { logger, onRecovery }: Pick<BalancerParts, 'logger' | 'onRecovery'>,
  key: string,
  { before, after: { state, reason } }: NonNullable<ReturnType<HealthBook['record']>>,
) {
  const { backend, model } = partsOf(key)
  logger.warn('backend.state', { backend, model, state, reason: reason || undefined })
  const isBack = model === undefined && state === 'healthy' && OUT.includes(before?.state ?? 'healthy')
  if (isBack) onRecovery?.(backend)
}

/** The upstream does not serve this account any more. */
type Denial = Extract<Verdict, { kind: 'account_refused' | 'account_unpaid' }>

/** Only an account that cannot pay may say until when. */
function disabledBy(denial: Denial, at: number, person: number) {
  const { reason } = denial
  return denial.kind === 'account_refused'
    ? ({ kind: 'disabled', at, cause: 'refused', person, reason, until: undefined } as const)
    : ({ kind: 'disabled', at, cause: 'unpaid', person, reason, until: denial.resetAt } as const)
}
