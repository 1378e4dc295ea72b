/** What it cost that prompts missed their cache, by whom and why. */
import type { AvailableModel, Loss } from '../api/index.ts'

export interface Miss extends Loss {
  /** About, at the prices of today; undefined for a model whose prices are not known here. */
  usd: number | undefined
}

const MILLION = 1_000_000

/** The dearest first. What is missed is paid as input at least, instead of as what comes from the cache. */
export function missesOf(losses: readonly Loss[], models: readonly AvailableModel[]): Miss[] {
  const rates = new Map(
    models.flatMap(({ id, canonical, pricing }) =>
      pricing ? [id, canonical].map((name) => [name, pricing.input - pricing.cache_read] as const) : [],
    ),
  )
  return losses
    .filter(({ kind }) => kind === 'cache_miss')
    .map((loss) => {
      const rate = rates.get(loss.model)
      return { ...loss, usd: rate === undefined ? undefined : (loss.missed_tokens * rate) / MILLION }
    })
    .toSorted((a, b) => (b.usd ?? 0) - (a.usd ?? 0) || b.missed_tokens - a.missed_tokens || b.calls - a.calls)
}
