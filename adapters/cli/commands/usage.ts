/** The command that sums usage. */
import * as z from 'zod'
import { systemClock } from '../../../core/clock.ts'
import { sumUsage } from '../../../core/reports/usage-by.ts'
import { DAY_MS, usdOf } from '../../../core/units.ts'
import { choice, command, number } from '../command.ts'

export const USAGE = [
  command({
    name: 'usage',
    about: 'tells what was used, in whole UTC days',
    options: {
      by: choice(['user', 'model', 'backend', 'day'], 'what to sum by; user if left out'),
      days: number('N', 'how many days, with today; 30 if left out', z.int().min(1)),
    },
    async run({ db, options: { by = 'user', days = 30 } }) {
      const today = Math.floor(systemClock.now() / DAY_MS) * DAY_MS
      const sums = await sumUsage(db, by, today - (days - 1) * DAY_MS)
      const rows = sums.map(({ name, requests, errors, totalTokens, costMicros }) => ({
        [by]: name,
        requests,
        errors,
        tokens: totalTokens,
        cost_usd: usdOf(costMicros),
      }))
      return {
        rows,
        columns: [by, 'requests', 'errors', 'tokens', 'cost_usd'],
        none: `No usage in the last ${days} days.`,
      }
    },
  }),
]
