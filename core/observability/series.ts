/** Figures as they travel between registries, processes and exporters. */
import * as z from 'zod'
import { METRIC_NAMES, type MetricName } from './table.ts'

/** One metric for one set of labels. */
export interface Series {
  metric: MetricName
  /** Values of the metric's labels, in their order. */
  labels: readonly string[]
  /**
   * Counters and gauges: the one value. Histograms: how many values are in each bucket (not in those below it, the last one
   * without a bound), then the sum of all values.
   */
  numbers: readonly number[]
}

export const SeriesList: z.ZodType<Series[]> = z.array(
  z.object({ metric: z.enum(METRIC_NAMES), labels: z.array(z.string()), numbers: z.array(z.number()) }),
)

/** Tells one series from all others. */
export function keyOf({ metric, labels }: Pick<Series, 'metric' | 'labels'>): string {
  return `${metric}\0${labels.join('\0')}`
}
