/** What a call wants of the balancer, what it gets, and what the balancer needs for that. */
import type { Verdict } from '../calls/verdict.ts'
import type { Clock, HeaderPairs, Logger } from '../ports.ts'
import type { Backend, Settings } from '../settings.ts'
import type { Uses } from './kinds/ability.ts'
import type { BackendMemory } from './memory.ts'

export interface Wanted {
  model: string
  /** The user whose call it is. */
  person: number
  conversation: { id: string; cacheLifeMs: number } | undefined
  /** The only backend that may serve it, because it names what belongs to that account. */
  boundTo: string | undefined
  /** Only backends that speak OpenAI's interface may serve it. */
  onlyNative?: boolean | undefined
  /** What the call asks for that some kinds cannot do. */
  uses?: Uses | undefined
  /** Of its body. */
  bytes?: number | undefined
  /** How the call ends will say nothing about the backend (it only counts tokens), so it cannot be the half-open call. */
  teachesNothing: boolean
}

/** A chosen backend. `done` must be called exactly once, when the call is over. */
export interface Selection {
  backend: Backend
  /** What an answer, good or not, says of the account's rate limits. */
  heard(headers: HeaderPairs): void
  /** The answer's first body byte came, and the answer is good so far. */
  firstByte(): void
  /** How the call went; undefined when that says nothing about the backend. */
  done(verdict: Verdict | undefined): void
  /** No backend was usable: the call is tried all the same, and only once. */
  isLastResort: boolean
}

export type CheckFinding =
  | { kind: 'works' }
  | { kind: 'down'; reason: string }
  | { kind: 'refused'; reason: string; forGood: boolean }

interface Outage {
  backend: string
  state: 'ejected' | 'disabled'
  reason: string
  /** The account has no credit left. */
  unpaid?: boolean
}

export interface BalancerParts {
  settings: Pick<Settings, 'backends' | 'health' | 'balancer'>
  memory: BackendMemory
  clock: Clock
  logger: Logger
  /** A number in [0, 1). */
  random: () => number
  /** The one name under which a model's health is kept. */
  healthNameOf(model: string): string
  /** Asks a backend whether it offers a model, once somebody was told that it does not. */
  checkModel(backend: Backend, model: string, person: number): void
  /** An account is out: told once, by whichever process found it. */
  onOutage(outage: Outage): void
  /** An account that was out serves calls again. Several processes may see it. */
  onRecovery?(backend: string): void
}
