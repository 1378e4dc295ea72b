/** Under which name a model is counted, because callers can invent any number of names. */
import { OTHER_MODEL } from '../backends/health-key.ts'
import type { Clock } from '../ports.ts'
import type { Prices } from '../pricing/prices.ts'
import type { Settings } from '../settings.ts'

const REMEMBERED = 500

/** What names of models are known by; another object when the backends change. */
interface Known {
  prices: Pick<Prices, 'rates' | 'canonical'>
  settings: Pick<Settings, 'backends' | 'modelReplacements' | 'modelFallbacks'>
  catalogue: { known(model: string): unknown }
}

/**
 * Models that the price list, the configuration or a backend's list knows are counted by name, each under one spelling; all
 * others together as `other`.
 */
export function modelLabels(clock: Clock, inForce: () => Known): (model: string) => string {
  let known = inForce()
  let configured = configuredIn(known)
  const labels = new Map<string, string>()
  const labelOf = (model: string) => {
    const { prices, catalogue } = known
    if (prices.rates(model, clock.now())) return prices.canonical(model)
    return configured.has(model) || catalogue.known(model) ? model : OTHER_MODEL
  }
  return (model) => {
    if (known !== inForce()) {
      known = inForce()
      configured = configuredIn(known)
      labels.clear()
    }
    const remembered = labels.get(model)
    if (remembered !== undefined) return remembered
    const label = labelOf(model)
    // A model that is not known now may be listed later.
    if (label !== OTHER_MODEL && labels.size < REMEMBERED) labels.set(model, label)
    return label
  }
}

function configuredIn({ settings }: Known): ReadonlySet<string> {
  return new Set([
    ...settings.modelReplacements.map(([, model]) => model),
    ...settings.modelFallbacks.flatMap(([, others]) => others),
    ...settings.backends.flatMap(({ models }) => models.filter((model) => !model.includes('*'))),
  ])
}
