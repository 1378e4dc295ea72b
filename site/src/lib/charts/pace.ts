/** How spending of a month runs: what was spent up to the end of each day, and where it leads. */

export interface Pace {
  /** Spent from the first of the month to the end of each day that has begun, in US dollars. */
  sums: number[]
  /** Days of the month. */
  days: number
  /** What the month will have cost if its days go on as the last seven did; with fewer than two days there is none. */
  forecast: number | undefined
}

const RECENT_DAYS = 7

/**
 * `costs`: US dollars of each day (YYYY-MM-DD) that had any. `today` has only begun, so it counts as one of the days to come as far
 * as a usual day costs more than it did yet.
 */
export function paceOf(costs: ReadonlyMap<string, number>, today: string): Pace {
  const [year = 0, month = 1, day = 1] = today.split('-').map(Number)
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate()
  const daily = Array.from({ length: day }, (_, i) => {
    return costs.get(`${today.slice(0, 8)}${String(i + 1).padStart(2, '0')}`) ?? 0
  })
  let sum = 0
  const sums = daily.map((cost) => {
    sum += cost
    return sum
  })
  const recent = daily.slice(0, -1).slice(-RECENT_DAYS)
  if (recent.length === 0) return { sums, days, forecast: undefined }
  const usual = recent.reduce((total, cost) => total + cost, 0) / recent.length
  const restOfToday = Math.max(0, usual - (daily.at(-1) ?? 0))
  return { sums, days, forecast: sum + restOfToday + usual * (days - day) }
}
