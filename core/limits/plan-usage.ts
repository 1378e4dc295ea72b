/** What Claude Code shows under /usage, in the form that it reads there (core/calls/PROTOCOL.md, Signing in). */
import { timeText } from '../units.ts'
import type { Used, UsedCap } from './caps.ts'

const MICROS_PER_CENT = 10_000
type Group = 'daily' | 'weekly' | 'monthly'

interface Spend {
  kind: 'spend'
  group: Group
  /** Whole, rounded down. */
  percent: number
  resets_at: string
  severity: 'normal'
  /** The fullest one. */
  is_active: boolean
}

export interface PlanUsage {
  /** Amounts in cents. */
  extra_usage: {
    is_enabled: true
    monthly_limit: number | null
    used_credits: number
    utilization: number | null
    currency: 'USD'
  }
  limits: Spend[]
  daily?: { limit: null; used_credits: number; utilization: null }
  weekly?: { limit: null; used_credits: number; utilization: null }
}

/**
 * `caps`: those of a person with what they used. `used`: that by period, for whoever has no cap. A limit that is never renewed
 * has no place in this form.
 */
export function planUsage(caps: readonly UsedCap[], used: ReadonlyMap<string, Used>): PlanUsage {
  const rows = caps.flatMap((cap) => rowOf(cap))
  const fullest = rows.reduce<(typeof rows)[number] | undefined>(
    (most, row) => (most === undefined || row.share > most.share ? row : most),
    undefined,
  )
  if (!fullest) {
    const spent = (period: Group) => centsOf(used.get(period)?.micros ?? 0)
    const none = (period: Group) => ({ limit: null, used_credits: spent(period), utilization: null })
    return {
      extra_usage: { ...NO_LIMIT, used_credits: spent('monthly') },
      limits: [],
      daily: none('daily'),
      weekly: none('weekly'),
    }
  }
  return {
    extra_usage: {
      ...NO_LIMIT,
      monthly_limit: centsOf(fullest.limitMicros),
      used_credits: centsOf(fullest.usedMicros),
      utilization: percentOf(fullest.share),
    },
    limits: rows.map((row) => ({
      kind: 'spend',
      group: row.group,
      percent: percentOf(row.share),
      resets_at: timeText(row.resetsAt),
      severity: 'normal',
      is_active: row === fullest,
    })),
  }
}

const NO_LIMIT = { is_enabled: true, monthly_limit: null, utilization: null, currency: 'USD' } as const

function rowOf({ period, micros, usedMicros, resetsAt }: UsedCap) {
  if (period === 'total' || micros === null) return []
  const share = micros === 0 ? 1 : usedMicros / micros
  return [{ group: period, limitMicros: micros, usedMicros, share, resetsAt }]
}

function centsOf(micros: number): number {
  return Math.round(micros / MICROS_PER_CENT)
}

/** Shares are quotients: 0.29 times 100 is a little less than 29. */
function percentOf(share: number): number {
  return Math.min(100, Math.floor(share * 100 + 1e-9))
}
