/** How a month stands, in one or two sentences. What is emphasised stands between asterisks. */
import type { Cap } from '../api/index.ts'
import type { Pace } from '../charts/pace.ts'
import { day, money, percent } from '../format.ts'
import { t } from '../i18n/index.svelte.ts'

/** Savings below this (US dollars) are not worth a sentence. */
const WORTH_SAYING = 0.01

/** `cap`: the monthly limit, if there is one. */
export function standing(pace: Pace, cap: Cap | undefined, savedUsd: number): string {
  const spent = pace.sums.at(-1) ?? 0
  const left = pace.days - pace.sums.length
  const limit = cap?.amount_usd ?? null
  const said = [
    limit === null
      ? t('overview.has_spent', { spent: money(spent) })
      : t('overview.has_spent_of', { spent: money(spent), limit: money(limit) }),
  ]
  const { forecast } = pace
  if (forecast !== undefined && forecast > spent && left > 0) {
    const key = limit !== null && forecast > limit ? 'overview.on_pace_over' : 'overview.on_pace'
    said.push(t(key, { forecast: money(forecast), n: left }))
  }
  if (savedUsd >= WORTH_SAYING) said.push(t('overview.saved', { saved: money(savedUsd) }))
  return said.join(t('overview.between')) + t('overview.full_stop')
}

/** How the month of the whole company stands, beside as many days of before (US dollars). */
export function companyStanding(pace: Pace, beforeUsd: number | undefined, savedUsd: number): string {
  const spent = pace.sums.at(-1) ?? 0
  const said = [t('admin.has_spent', { spent: money(spent) })]
  if (beforeUsd) {
    const share = spent / beforeUsd - 1
    const key = share >= 0 ? 'admin.more_than_before' : 'admin.less_than_before'
    said.push(t(key, { share: percent(Math.abs(share)) }))
  }
  const left = pace.days - pace.sums.length
  if (pace.forecast !== undefined && left > 0) {
    said.push(t('admin.on_pace', { forecast: money(pace.forecast), n: left }))
  }
  if (savedUsd >= WORTH_SAYING) said.push(t('overview.saved', { saved: money(savedUsd) }))
  return said.join(t('overview.between')) + t('overview.full_stop')
}

/** From when to when a month counts, and in which zone. */
export function periodText(today: string, days: number, timeZone: string): string {
  const month = today.slice(0, 8)
  return t('overview.period', {
    from: day(`${month}01T12:00`),
    to: day(`${month}${days}T12:00`),
    zone: timeZone,
  })
}
