/** Which model a newcomer begins with, and which figures are those of a model. */
import type { AvailableModel, ModelFigures } from '../api/index.ts'

type Choosable = Pick<AvailableModel, 'id' | 'access' | 'pricing' | 'retires_at'>

export function isUsable({ access }: Pick<AvailableModel, 'access'>): boolean {
  return access === 'open' || access === 'granted'
}

/**
 * A sensible one of those that the reader may use: the first Sonnet, because lists begin with the newest; else the one in the
 * middle by the price of its answers. Not one that ended by `now` (ms), where there is another.
 */
export function suggestedModel<M extends Choosable>(models: readonly M[], now: number): M | undefined {
  const usable = models.filter(isUsable)
  const lasting = usable.filter(({ retires_at }) => retires_at === null || Date.parse(retires_at) > now)
  const from = lasting.length > 0 ? lasting : usable
  const byPrice = from
    .filter(({ pricing }) => pricing !== null)
    .sort((a, b) => (a.pricing?.output ?? 0) - (b.pricing?.output ?? 0))
  return from.find(({ id }) => id.includes('sonnet')) ?? byPrice[(byPrice.length - 1) >> 1] ?? from[0]
}

/** Of calls that named the model in full, else by its plain name. */
export function figuresOf(
  { id, canonical }: Pick<AvailableModel, 'id' | 'canonical'>,
  figures: readonly ModelFigures[],
): ModelFigures | undefined {
  return figures.find(({ model }) => model === id) ?? figures.find(({ model }) => model === canonical)
}
