/**
 * What tokens cost. Rates are dollars per million tokens, which is micro-dollars per token; prices are effective-dated.
 * Rounding: a call's parts are summed exactly in millionths of a micro-dollar and rounded half up once, at the end.
 */
import * as z from 'zod'
import type { BilledPart, Metered, TokenCounts } from './counts.ts'

const rate = z.number().min(0)
const RateFields = {
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
}
const Rates = z.object(RateFields)
const ListedPrice = Rates.extend({
  id: z.string(),
  name: z.string().optional(),
  aliases: z.array(z.string()).optional(),
  fast_multiplier: z.number().optional(),
  /** Rates that held before a UTC day. */
  history: z.array(Rates.partial().extend({ until: z.iso.date() })).optional(),
  /** Other rates for the whole request when its prompt is longer. */
  long_prompt: Rates.extend({ threshold_prompt_tokens: z.int() }).optional(),
})

/** config/pricing.json; its notes and sources are left out. */
export const PriceList = z.object({
  modifiers: z.object({ unknown_model_default: Rates }),
  models: z.array(ListedPrice),
})
export type PriceList = z.infer<typeof PriceList>
export type Rates = z.infer<typeof Rates>

/** A price of the operator's own, from a UTC day on (or always). */
export interface PriceOverride extends Rates {
  model: string
  effective_from?: string | undefined
}

export interface ModelRates extends Rates {
  name: string | undefined
  longPrompt: (Rates & { thresholdPromptTokens: number }) | undefined
  fastMultiplier: number
}

export interface Prices {
  /** Micro-dollars of a metered call, at the prices of its start (`at`, ms). An unknown model is dear and marked, never free. */
  cost(metered: Metered, model: string, at: number): { costMicros: number; unpriced: boolean }
  /** Micro-dollars that a call of this size may cost, without caches. */
  estimate(model: string, inputTokens: number, outputTokens: number, at: number): number
  /** Dollars per million tokens; undefined for an unknown model. */
  rates(model: string, at: number): ModelRates | undefined
  /** The one name of a model behind dates, aliases, prefixes and cases. */
  canonical(model: string): string
}

const GEO_US = 1.1
const BATCH = 0.5
const MICROS_PER_SEARCH = 10_000
/** Rates and multipliers have at most six decimals together, so that this makes every product an integer. */
const SCALE = 1_000_000
const REMEMBERED_NAMES = 1_000

export function createPrices(list: PriceList, overrides: readonly PriceOverride[] = []): Prices {
  const byName = new Map<string, PriceList['models'][number]>()
  for (const model of list.models) {
    for (const name of [model.id, ...(model.aliases ?? [])]) byName.set(name, model)
  }
  const own = overrides
    .map((override) => ({
      ...override,
      from: override.effective_from ? Date.parse(override.effective_from) : 0,
    }))
    .sort((a, b) => b.from - a.from)
  const names = new Map<string, string>()

  function canonical(model: string): string {
    const known = names.get(model)
    if (known !== undefined) return known
    const bare = bareName(model)
    const name = byName.get(bare)?.id ?? byName.get(undated(bare))?.id ?? undated(bare)
    if (names.size >= REMEMBERED_NAMES) names.clear()
    names.set(model, name)
    return name
  }

  function rates(model: string, at: number): ModelRates | undefined {
    const name = canonical(model)
    const override = own.find(
      (one) => one.from <= at && (one.model === model || canonical(one.model) === name),
    )
    const listed = byName.get(name)
    if (override)
      return {
        ...override,
        name: listed?.name,
        longPrompt: undefined,
        fastMultiplier: listed?.fast_multiplier ?? 1,
      }
    if (!listed) return undefined
    const older = listed.history
      ?.filter(({ until }) => at < Date.parse(until))
      .sort((a, b) => a.until.localeCompare(b.until))[0]
    const long = listed.long_prompt
    return {
      ...Rates.parse({ ...listed, ...older }),
      name: listed.name,
      longPrompt: long && { ...long, thresholdPromptTokens: long.threshold_prompt_tokens },
      fastMultiplier: listed.fast_multiplier ?? 1,
    }
  }

  return {
    canonical,
    rates,
    cost(metered, model, at) {
      let scaled = metered.webSearches * MICROS_PER_SEARCH * SCALE
      let unpriced = false
      for (const part of metered.parts) {
        const found = rates(part.model ?? model, at)
        if (!found) unpriced = true
        scaled += partCost(part, found ?? list.modifiers.unknown_model_default, metered, found)
      }
      return { costMicros: Math.floor(scaled / SCALE + 0.5), unpriced }
    },
    estimate(model, inputTokens, outputTokens, at) {
      const { input, output } = rates(model, at) ?? list.modifiers.unknown_model_default
      return Math.ceil(inputTokens * input + outputTokens * output)
    },
  }
}

/** Millionths of a micro-dollar: an integer, since each rate times its multipliers is made one first. */
function partCost(
  { tokens }: BilledPart,
  base: Rates,
  metered: Metered,
  found: ModelRates | undefined,
): number {
  const prompt = tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h
  const long = found?.longPrompt
  const rates = long && prompt > long.thresholdPromptTokens ? long : base
  const speed = metered.batch ? BATCH : metered.fast ? (found?.fastMultiplier ?? 1) : 1
  const multiplier = speed * (metered.geoUs ? GEO_US : 1)
  const classes: [keyof TokenCounts, number][] = [
    ['input', rates.input],
    ['output', rates.output],
    ['cacheRead', rates.cache_read],
    ['cacheWrite5m', rates.cache_write_5m],
    ['cacheWrite1h', rates.cache_write_1h],
  ]
  return classes.reduce(
    (sum, [name, dollars]) => sum + tokens[name] * Math.round(dollars * multiplier * SCALE),
    0,
  )
}

/** Lower case, without a provider's prefix, a Bedrock or Vertex form, or "-latest". */
function bareName(model: string): string {
  return model
    .toLowerCase()
    .replace(/^.*\//, '')
    .replace(/^(?:(?:us|eu|apac|global)\.)?anthropic\./, '')
    .replace(/-v\d+(?::\d+)?$/, '')
    .replace(/@.*$/, '')
    .replace(/-latest$/, '')
}

function undated(name: string): string {
  return name.replace(/-20\d{6}$/, '')
}
