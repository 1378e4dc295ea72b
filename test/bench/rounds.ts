/**
 * Measures several variants by turns, round by round, because what else the machine does then meets all of them alike. A ratio is
 * one of a round, and its quartiles over the rounds are the result.
 */
import { quantile } from './measure.ts'

/** By name, with the unit in the name: `cpu_us`, `p99_ms`. */
export type Metrics = Record<string, number>
/** The values of each metric, round by round, by variant. */
export type Rounds = Record<string, Record<string, number[]>>
export type Variants = Record<string, () => Promise<Metrics>>

/** Quartiles: a quarter of the rounds lies below the first, half below the second, a quarter above the third. */
export type Quartiles = [first: number, median: number, third: number]

/** Rounds `before` count nothing: compilers and caches have done their work then. `inOrder`: a variant needs the one before it. */
export async function byTurns(
  variants: Variants,
  given: { rounds: number; before?: number; inOrder?: boolean },
): Promise<Rounds> {
  const { rounds, before = 0, inOrder = false } = given
  const result: Rounds = {}
  const names = Object.keys(variants)
  for (let round = -before; round < rounds; round++) {
    // Every second round the other way round, because the machine may get slower while a round goes on.
    for (const name of inOrder || round % 2 === 0 ? names : names.toReversed()) {
      const metrics = (await variants[name]?.()) ?? {}
      if (round < 0) continue
      const known = result[name] ?? {}
      result[name] = known
      for (const [metric, value] of Object.entries(metrics)) known[metric] = [...(known[metric] ?? []), value]
    }
  }
  return result
}

/** A second copy of a variant, measured like the first one: what they differ by is noise. */
const again = (name: string) => `${name} again`

/**
 * For each metric: the quartiles of each variant; of each ratio; and of a copy to its original (`noise of …`). `ratios` names the
 * variants that are divided. Where there is a copy, the sums of both are.
 */
export function summarize(
  rounds: Rounds,
  ratios: readonly (readonly [of: string, to: string])[],
): Record<string, Record<string, Quartiles>> {
  const metrics = [...new Set(Object.values(rounds).flatMap(Object.keys))]
  const copied = Object.keys(rounds).filter((name) => rounds[again(name)])
  const summaryOf = (metric: string): Record<string, Quartiles> => {
    const valuesOf = (name: string) => rounds[name]?.[metric] ?? []
    const both = (name: string) => {
      const copy = rounds[again(name)]?.[metric]
      return valuesOf(name).map((value, i) => value + (copy ? (copy[i] ?? 0) : value))
    }
    const divided = (of: readonly number[], to: readonly number[]) =>
      quartiles(of.map((value, i) => value / (to[i] ?? Number.NaN)))
    return Object.fromEntries([
      ...Object.keys(rounds)
        .filter((name) => valuesOf(name).length > 0)
        .map((name) => [name, quartiles(valuesOf(name))] as const),
      ...ratios
        .filter(([of, to]) => valuesOf(of).length > 0 && valuesOf(to).length > 0)
        .map(([of, to]) => [`${of} / ${to}`, divided(both(of), both(to))] as const),
      ...copied.map((name) => [`noise of ${name}`, divided(valuesOf(again(name)), valuesOf(name))] as const),
    ])
  }
  return Object.fromEntries(metrics.map((metric) => [metric, summaryOf(metric)]))
}

function quartiles(values: readonly number[]): Quartiles {
  return [quantile(values, 0.25), quantile(values, 0.5), quantile(values, 0.75)]
}
