/** The spend limits of a call as its record names them. */
import type { Counter, PeriodStarts } from '../ports.ts'
import type { RecordedLimit } from '../record.ts'
import type { Period } from '../settings.ts'
import { ownerText } from './owner.ts'
import { PERIOD_INDEX } from './period.ts'

/** By the counters of a caller, which stay the same objects until something changes; `day`: when the day of these limits began. */
const known = new WeakMap<readonly Counter[], { day: number; limits: readonly RecordedLimit[] }>()

export function recordedLimits(counters: readonly Counter[], starts: PeriodStarts): readonly RecordedLimit[] {
  const [day] = starts
  const before = known.get(counters)
  // Weeks and months begin with a day.
  if (before?.day === day) return before.limits
  const limits = counters.flatMap((counter) =>
    counter.limits.amounts.flatMap(({ period, micros = 0 }): RecordedLimit[] =>
      micros > 0 ? [[ownerText(counter), period, startOf(period, starts), micros]] : [],
    ),
  )
  known.set(counters, { day, limits })
  return limits
}

function startOf(period: Period, starts: PeriodStarts): number {
  return period === 'total' ? 0 : starts[PERIOD_INDEX[period]]
}
