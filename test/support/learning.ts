/** Verdicts on calls that nobody made, and what is learned from them. */
import { createLearning } from '../../core/backends/learning.ts'
import type { Verdict } from '../../core/calls/verdict.ts'
import type { HealthStore } from '../../core/ports.ts'
import { ANN, BOB, backend, backendMemory, HEALTH, OPUS } from './backends.ts'

export const A = backend('a')
export const PAIR = `a ${OPUS}`
export const FAILED: Verdict = { kind: 'pair_failed', reason: 'answered 529', fromNetwork: false }
export const CUT: Verdict = { ...FAILED, reason: 'cut its answer', fromNetwork: true }
export const SERVED: Verdict = { kind: 'served' }
export const REFUSED = { kind: 'account_refused', reason: 'answered 401' } as const
export const UNPAID = { kind: 'account_unpaid', reason: 'answered 402', resetAt: undefined } as const

interface Told {
  model?: string
  person?: number
  trial?: boolean
  alone?: boolean
  sentAt?: number
}

/** What learns from verdicts, with its memory. `learn`: a call of Ann's ended so. */
export function learningScene(given: { store?: HealthStore } = {}) {
  const scene = backendMemory(given)
  const { memory, clock, logger } = scene
  const checked: unknown[][] = []
  const outages: object[] = []
  const learning = createLearning({
    settings: { backends: [A], health: HEALTH, balancer: { strategy: 'sticky' } },
    memory,
    clock,
    logger,
    random: () => 0.5,
    healthNameOf: (model) => model,
    checkModel: (...all) => void checked.push(all),
    onOutage: (outage) => void outages.push(outage),
  })
  const learn = (verdict: Verdict, told: Told = {}) => {
    const { model = OPUS, person = ANN, trial = false, alone = false, sentAt = clock.now() } = told
    learning.learn({ backend: A, model, pair: `a ${model}`, person, alone, sentAt, trial, verdict })
  }
  /** Failures of two people, until the model is out. */
  const eject = (model = OPUS, verdict = FAILED) => {
    for (let i = 0; i < 5; i++) learn(verdict, { model, person: i % 2 === 0 ? ANN : BOB })
  }
  const { shared, local } = memory
  const stateOf = (key: string, book = shared) => book.get(key)?.state
  return { ...scene, learning, learn, eject, checked, outages, shared, local, stateOf }
}
