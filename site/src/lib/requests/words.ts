/** What of the queue is said in words. */
import type { QueueItem } from '../api/index.ts'
import { money } from '../format.ts'
import { t } from '../i18n/index.svelte.ts'

type Wanted = Pick<QueueItem, 'model' | 'amount_usd' | 'period'>

/** A model, or an amount with its period. */
export function wantedText({ model, amount_usd, period }: Wanted): string {
  if (model !== null) return model
  const each = t(`limits.period.${period}`).toLowerCase()
  return t('limits.wanted', { amount: money(amount_usd ?? 0), period: each })
}

/** Who wants what. */
export const askedText = ({ itcode, ...wanted }: Wanted & Pick<QueueItem, 'itcode'>) =>
  t('app.pair', { name: itcode, value: wantedText(wanted) })

export function usedText({ used_usd, limit_usd }: Pick<QueueItem, 'used_usd' | 'limit_usd'>): string {
  return limit_usd === null
    ? t('limits.spent_unlimited', { used: money(used_usd) })
    : t('limits.spent', { used: money(used_usd), amount: money(limit_usd) })
}
