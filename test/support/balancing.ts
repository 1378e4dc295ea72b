/** A balancer that calls go through, without any upstream. */
import { createBalancer } from '../../core/backends/balancer.ts'
import type { Verdict } from '../../core/calls/verdict.ts'
import type { HealthStore } from '../../core/ports.ts'
import type { Backend } from '../../core/settings.ts'
import { ANN, BOB, backendMemory, HEALTH, OPUS } from './backends.ts'
import type { FakeClock } from './clock.ts'

export const FAILED: Verdict = { kind: 'pair_failed', reason: 'answered 529', fromNetwork: false }
export const SERVED: Verdict = { kind: 'served' }

interface Asked {
  person?: number
  model?: string
  conversation?: string | undefined
  tried?: string[]
  boundTo?: string
}

/** A balancer with its memory; calls end as they are told to. `build` makes another one on the same memory, as a reload does. */
export function balancing(backends: Backend[], given: { store?: HealthStore; clock?: FakeClock } = {}) {
  const { clock, logger, memory, settled } = backendMemory(given)
  let seed = 1
  const random = () => {
    seed = (seed * 48271) % 2147483647
    return seed / 2147483647
  }
  const checked: string[] = []
  const outages: string[] = []
  const build = (settings: Backend[]) =>
    createBalancer({
      settings: { backends: settings, health: HEALTH, balancer: { strategy: 'sticky' } },
      memory,
      clock,
      logger,
      random,
      healthNameOf: (model) => (model.startsWith('claude-') ? model : 'other'),
      checkModel: ({ name }, model) => void checked.push(`${name} ${model}`),
      onOutage: ({ backend: name, state }) => void outages.push(`${name} ${state}`),
    })
  const balancer = build(backends)
  const wanted = ({ person = ANN, model = OPUS, conversation, boundTo }: Asked) => ({
    person,
    model,
    conversation: conversation === undefined ? undefined : { id: conversation, cacheLifeMs: 300_000 },
    boundTo,
    teachesNothing: false,
  })
  const select = async (asked: Asked = {}) => balancer.select(wanted(asked), new Set(asked.tried))
  /** One call to its end; answers where it went. */
  const call = async (verdict: Verdict, asked: Asked = {}): Promise<string | undefined> => {
    const selection = await select(asked)
    if (!selection) return undefined
    if (verdict.kind === 'served') selection.firstByte()
    selection.done(verdict)
    await settled()
    return selection.backend.name
  }
  /** Fails at this backend until it is out for the model, by two people. */
  const eject = async (name: string, model = OPUS) => {
    for (let i = 0; i < 5; i++) await call(FAILED, { boundTo: name, model, person: i % 2 === 0 ? ANN : BOB })
  }
  const stateOf = (name: string) => balancer.views().find((view) => view.backend.name === name)?.state
  const modelOf = (name: string, model = OPUS) =>
    balancer
      .views()
      .find((view) => view.backend.name === name)
      ?.models.find((one) => one.model === model)
  return {
    balancer,
    build,
    clock,
    logger,
    wanted,
    select,
    call,
    eject,
    stateOf,
    modelOf,
    checked,
    outages,
    settled,
  }
}
