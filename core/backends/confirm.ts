/**
 * Calls of our own that decide what somebody's answer means for everybody: whether an account really is refused or cannot
 * pay, and whether a backend really does not offer a model. One each per account and ten seconds over all processes.
 */

import type { Failure, Verdict } from '../calls/verdict.ts'
import type { Periods } from '../limits/period.ts'
import type { Clock, Ledger, Logger, Upstream } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import { GATEWAY_ID } from '../reports/gateway-calls.ts'
import type { Backend } from '../settings.ts'
import { sharedWork } from '../shared-work.ts'
import { askOnce, readModel, readModels } from './check.ts'
import type { CredentialsOf } from './credentials.ts'
import { CHECK_EVERY_MS } from './health.ts'
import { accountKey, OTHER_MODEL, pairKey } from './health-key.ts'
import type { BackendMemory } from './memory.ts'
import { bookOwnCall } from './own-call.ts'

export type AccountVerdict = Extract<Verdict, { kind: 'account_refused' | 'account_unpaid' }>

/** `passed`: the account works, so it was something about that one call. `unknown`: nobody could tell. */
export type Confirmation = 'confirmed' | 'passed' | 'unknown'

export interface Confirm {
  account(backend: Backend, model: string, verdict: AccountVerdict): Promise<Confirmation>
  /** Never throws. `person`: who was told that the model is not offered. */
  model(backend: Backend, model: string, person: number): Promise<void>
}

export function isAccountVerdict(verdict: Failure): verdict is AccountVerdict {
  return verdict.kind === 'account_refused' || verdict.kind === 'account_unpaid'
}

interface ConfirmParts {
  upstream: Upstream
  credentialsOf?: CredentialsOf | undefined
  clock: Clock
  logger: Logger
  ledger: Ledger
  periods: Periods
  prices: Prices
  memory: BackendMemory
  waitUntil(work: Promise<unknown>): void
  healthNameOf(model: string): string
  /** The models that a backend lists; undefined when it never listed any. */
  listed(backend: Backend): readonly string[] | undefined
  disable(backend: Backend, verdict: AccountVerdict): void
}

export function createConfirm(parts: ConfirmParts): Confirm {
  const { clock, memory, logger } = parts
  const { shared } = memory
  const running = new Map<string, Promise<Confirmation>>()
  const passedAt = new Map<string, number>()

  async function ask(backend: Backend, model: string, verdict: AccountVerdict): Promise<Confirmation> {
    const key = accountKey(backend.name)
    const passed = passedAt.get(backend.name)
    if (passed !== undefined && clock.elapsed() - passed < CHECK_EVERY_MS) return 'passed'
    if (!(await shared.claim(key, { kind: 'checking', what: 'account', at: clock.now() }))) {
      // Another process asked, or this one a moment ago.
      return shared.get(key)?.state === 'disabled' ? 'confirmed' : 'unknown'
    }
    const createdAt = clock.now()
    const startedAt = clock.elapsed()
    const answer = await askOnce(parts, backend, model)
    const latencyMs = clock.elapsed() - startedAt
    bookOwnCall(parts, { backend, model, createdAt, latencyMs, ...answer }, GATEWAY_ID)
    const confirmed = answer.verdict.kind === verdict.kind
    logger.info('backend.confirmed', { backend: backend.name, model, confirmed, status: answer.status })
    if (answer.verdict.kind === 'account_refused' || answer.verdict.kind === 'account_unpaid') {
      parts.disable(backend, answer.verdict)
      return 'confirmed'
    }
    if (answer.verdict.kind !== 'served' && answer.verdict.kind !== 'callers') return 'unknown'
    passedAt.set(backend.name, clock.elapsed())
    return 'passed'
  }

  async function offers(backend: Backend, model: string) {
    const found = await readModel(parts, backend, model)
    if (found !== 'unknown') return found
    const listed = parts.listed(backend) ?? (await listedNow(backend))
    return listed && !listed.includes(model) ? 'not_offered' : 'unknown'
  }
  async function listedNow(backend: Backend) {
    const found = await readModels(parts, backend)
    return found.kind === 'listed' ? found.models.map(({ id }) => id) : undefined
  }

  return {
    account(backend, model, verdict) {
      const known = running.get(backend.name)
      if (known) return known
      const asked = ask(backend, model, verdict).finally(() => running.delete(backend.name))
      const asking = sharedWork(asked, parts.waitUntil)
      running.set(backend.name, asking)
      return asking
    },
    async model(backend, model, person) {
      const name = parts.healthNameOf(model)
      // Callers can invent names: nothing is remembered of those that nobody knows.
      if (name === OTHER_MODEL) return
      const pair = pairKey(backend.name, name)
      const at = clock.now()
      const reason = 'the account is not offered this model'
      if (!(await shared.claim(accountKey(backend.name), { kind: 'checking', what: 'model', at }))) return
      if ((await offers(backend, model)) === 'not_offered') {
        logger.warn('backend.model_unavailable', { backend: backend.name, model: name })
        shared.record(pair, { kind: 'not_offered', at: clock.now(), reason })
      } else {
        shared.record(pair, {
          kind: 'doubted',
          what: 'model',
          at: clock.now(),
          person,
          reason: 'refused this model',
        })
      }
    },
  }
}
