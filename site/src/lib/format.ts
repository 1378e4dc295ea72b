/** Numbers, money and times as the reader's language writes them, in the reader's zone. */
import { i18n } from './i18n/index.svelte.ts'

export const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone

export function money(usd: number): string {
  if (usd > 0 && usd < 0.0001) return `< ${money(0.0001)}`
  const small = usd !== 0 && Math.abs(usd) < 1
  return new Intl.NumberFormat(i18n.locale, {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: 2,
    maximumFractionDigits: small ? 4 : 2,
  }).format(usd)
}

/** Money where there is little room, such as beside an axis: $15K, $0.004. */
export function shortMoney(usd: number): string {
  const digits =
    usd >= 1000
      ? ({ notation: 'compact', maximumFractionDigits: 1 } as const)
      : usd > 0 && usd < 0.1
        ? { minimumFractionDigits: 0, maximumSignificantDigits: 2 }
        : { minimumFractionDigits: 2, maximumFractionDigits: 2 }
  return new Intl.NumberFormat(i18n.locale, {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    ...digits,
  }).format(usd)
}

/** To the micro-dollar, for a single call in a sentence. */
export function exactMoney(usd: number): string {
  return callMoney(usd, 2)
}

/** The same for a column, where the points stand below each other. */
export function alignedMoney(usd: number): string {
  return callMoney(usd, MICRO_DIGITS)
}

const MICRO_DIGITS = 6

function callMoney(usd: number, fewestDigits: number): string {
  return new Intl.NumberFormat(i18n.locale, {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: fewestDigits,
    maximumFractionDigits: MICRO_DIGITS,
  }).format(usd)
}

export function whole(value: number): string {
  return new Intl.NumberFormat(i18n.locale).format(value)
}

/** 12.3M rather than 12,345,678. */
export function compact(value: number): string {
  // Chinese counts in ten thousands, and writes what is below without its separator.
  if (i18n.locale === 'zh-CN' && value < 10_000) return whole(value)
  return new Intl.NumberFormat(i18n.locale, { notation: 'compact', maximumFractionDigits: 1 }).format(value)
}

export function percent(share: number): string {
  return new Intl.NumberFormat(i18n.locale, {
    style: 'percent',
    maximumFractionDigits: share < 0.1 ? 1 : 0,
  }).format(share)
}

export function dateTime(text: string): string {
  return new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'short' }).format(
    new Date(text),
  )
}

/** For tables: the year only where it is another one. */
export function shortTime(text: string): string {
  const at = new Date(text)
  const year = at.getFullYear() === new Date().getFullYear() ? {} : ({ year: 'numeric' } as const)
  return new Intl.DateTimeFormat(i18n.locale, {
    ...year,
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  }).format(at)
}

export function exactTime(text: string): string {
  return new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'medium', timeStyle: 'medium' }).format(
    new Date(text),
  )
}

export function day(text: string): string {
  return new Intl.DateTimeFormat(i18n.locale, { month: 'short', day: 'numeric' }).format(new Date(text))
}

export function fullDay(text: string): string {
  return new Intl.DateTimeFormat(i18n.locale, { dateStyle: 'long' }).format(new Date(text))
}

export function hour(text: string): string {
  return new Intl.DateTimeFormat(i18n.locale, { hour: '2-digit', minute: '2-digit' }).format(new Date(text))
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
]
/** "3 hours ago", "in 8 days". */
export function relative(text: string, now = Date.now()): string {
  const distance = Date.parse(text) - now
  const [unit, size] = STEPS.find(([, ms]) => Math.abs(distance) >= ms) ?? ['minute', 60_000]
  const count = Math.trunc(distance / size)
  return new Intl.RelativeTimeFormat(i18n.locale, { numeric: 'auto' }).format(count, unit)
}

export function duration(ms: number): string {
  if (ms < 1000) return `${whole(Math.round(ms))} ms`
  return `${new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(ms / 1000)} s`
}

/** YYYY-MM-DD of a moment, in the reader's zone. */
export function localDay(moment: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`
}
