/** What was found by comparing the log with the reports of upstream accounts, and what explains each difference. */
import { and, asc, gte, lt } from 'drizzle-orm'
import { reconciledDays, reconciledUse } from '../db/schema.ts'
import type { Db } from '../ports.ts'
import type { Range } from './range.ts'

/** Costs as near as this are the same: our rows are rounded to the micro-dollar one by one. */
const ROUNDING_MICROS = 10
const ROUNDING_SHARE = 1e-4

export const EXPLANATIONS = ['none', 'outside', 'estimated', 'price', 'unexplained'] as const
/**
 * `none`: no difference. `outside`: only calls by other keys of the account. `estimated`: our rows of calls whose count never came
 * may be off by as much. `price`: the tokens agree, so the account has another price. `unexplained`: none of these.
 */
type Explanation = (typeof EXPLANATIONS)[number]

export type ReconciledUse = typeof reconciledUse.$inferSelect & {
  /** The upstream's, without calls outside, less ours. */
  difference: number
  explanation: Explanation
}

export interface Reconciliation {
  days: (typeof reconciledDays.$inferSelect)[]
  use: ReconciledUse[]
}

/** The UTC days that begin in the range, by account, day, model and measure. */
export async function reconciliation(db: Db, { from, to }: Range): Promise<Reconciliation> {
  const days = await db
    .select()
    .from(reconciledDays)
    .where(and(gte(reconciledDays.day, from), lt(reconciledDays.day, to)))
    .orderBy(asc(reconciledDays.day), asc(reconciledDays.account))
  const { account, day, model, measure } = reconciledUse
  const rows = await db
    .select()
    .from(reconciledUse)
    .where(and(gte(day, from), lt(day, to)))
    .orderBy(asc(day), asc(account), asc(model), asc(measure))
  return { days, use: explained(rows) }
}

/** Each row with its difference and what explains it. */
export function explained(rows: readonly (typeof reconciledUse.$inferSelect)[]): ReconciledUse[] {
  const compared = rows.map((row) => ({ ...row, difference: row.theirs - row.outside - row.ours }))
  const known = new Map<string, Explanation>()
  const placeOf = ({ account, day, model }: ReconciledRow) => JSON.stringify([account, day, model])
  const ofTokens = compared.map((row) => {
    if (row.measure === 'cost_micros') return undefined
    const explanation = explainedTokens(row)
    known.set(placeOf(row), worse(known.get(placeOf(row)), explanation))
    return explanation
  })
  return compared.map((row, i) => {
    const explanation = ofTokens[i] ?? explainedCost(row, known.get(placeOf(row)) ?? 'none')
    return { ...row, explanation }
  })
}

type ReconciledRow = typeof reconciledUse.$inferSelect & { difference: number }

const RANK: readonly Explanation[] = ['none', 'outside', 'price', 'estimated', 'unexplained']

function worse(a: Explanation | undefined, b: Explanation): Explanation {
  return a !== undefined && RANK.indexOf(a) > RANK.indexOf(b) ? a : b
}

function explainedTokens({ difference, outside, estimated }: ReconciledRow): Explanation {
  if (difference === 0) return outside > 0 ? 'outside' : 'none'
  return Math.abs(difference) <= estimated ? 'estimated' : 'unexplained'
}

/** `tokens`: what explains the tokens of the same model. */
function explainedCost({ difference, outside, theirs }: ReconciledRow, tokens: Explanation): Explanation {
  if (Math.abs(difference) <= ROUNDING_MICROS + theirs * ROUNDING_SHARE)
    return outside > 0 ? 'outside' : 'none'
  return tokens === 'none' || tokens === 'outside' ? 'price' : tokens
}

export interface ReconciledMonth {
  /** Days of which every account was compared. */
  days: number
  oursMicros: number
  theirsMicros: number
  outsideMicros: number
  /** Differences that nothing explains, without their signs. */
  unexplainedMicros: number
}

/** The costs of some days as one line; undefined if nothing was compared. */
export function costsOf({ days, use }: Reconciliation): ReconciledMonth | undefined {
  const compared = new Set(days.filter(({ comparedAt }) => comparedAt !== null).map(({ day }) => day))
  for (const { day, comparedAt } of days) if (comparedAt === null) compared.delete(day)
  if (compared.size === 0) return undefined
  const costs = use.filter(({ day, measure }) => measure === 'cost_micros' && compared.has(day))
  const sum = (micros: (row: ReconciledUse) => number) => costs.reduce((total, row) => total + micros(row), 0)
  return {
    days: compared.size,
    oursMicros: sum(({ ours }) => ours),
    theirsMicros: sum(({ theirs }) => theirs),
    outsideMicros: sum(({ outside }) => outside),
    unexplainedMicros: sum(({ explanation, difference }) =>
      explanation === 'unexplained' ? Math.abs(difference) : 0,
    ),
  }
}
