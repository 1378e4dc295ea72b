/**
 * What tokens cost. A rate is in dollars per million tokens, which equals micro-dollars per token, and holds for a period.
 * Parts of a call are summed as integers in millionths of a micro-dollar, exact up to $9,000 (2^53), and rounded half up
 * once. Source of the rates: https://platform.claude.com/docs/en/about-claude/pricing
 */
import * as z from 'zod'
import { type BilledUsage, NO_TOKENS, type TokenCounts } from '../metering/tokens.ts'
import { createSpellings } from './spellings.ts'

const rate = z.number().min(0)
const RateFields = {
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
}
const Rates = z.object(RateFields)
const Listed = Rates.extend({
  id: z.string(),
  name: z.string().optional(),
  aliases: z.array(z.string()).optional(),
  /** Size of the context window and of the longest answer, in tokens. */
  context: z.int().optional(),
  max_output: z.int().optional(),
  fast_multiplier: z.number().optional(),
  /** Earlier rates, each valid before the UTC day `until`. */
  history: z.array(Rates.partial().extend({ until: z.iso.date() })).optional(),
  /** Rates for the whole request if its prompt has more tokens than the threshold. */
  long_prompt: Rates.extend({ threshold_prompt_tokens: z.int() }).optional(),
})

/** config/pricing.json without its notes and sources. */
export const PriceList = z.object({
  modifiers: z.object({ unknown_model_default: Rates }),
  models: z.array(Listed),
})
export type PriceList = z.infer<typeof PriceList>
type Rates = z.infer<typeof Rates>

/** Rates set by the operator, valid from the start of the UTC day `effective_from` or always; the same for long prompts. */
export interface PriceOverride extends Rates {
  model: string
  effective_from?: string | undefined
}

interface ModelRates extends Rates {
  name: string | undefined
  /** Size of the context window and of the longest answer, in tokens; undefined when unknown. */
  context: number | undefined
  maxOutput: number | undefined
  longPrompt: (Rates & { thresholdPromptTokens: number }) | undefined
  fastMultiplier: number
}

export interface Prices {
  /**
   * Cost of a call in whole micro-dollars, at the prices of its start (`at`, ms since 1970). `model` is the model of the parts
   * that name none. Multipliers: core/calls/PROTOCOL.md, Prices. Unknown models cost a high default rate and are `unpriced`.
   */
  cost(metered: BilledUsage, model: string, at: number): { costMicros: number; unpriced: boolean }
  /** The most that a call of this size may cost, in micro-dollars, rounded up. */
  estimate(model: string, size: EstimatedSize, at: number): number
  /** Dollars per million tokens; undefined for an unknown model. */
  rates(model: string, at: number): ModelRates | undefined
  /** The canonical name of a model: without date, alias, provider's prefix, dots, marks ([1m], -fast) and upper case. */
  canonical(model: string): string
}

interface EstimatedSize {
  input: number
  output: number
  webSearches?: number
  fast?: boolean
  /** Lifetime of the cache that the input may be written to, which costs more than plain input; undefined = no cache. */
  cached?: '5m' | '1h' | undefined
}

const GEO_US = 1.1
const BATCH = 0.5
const MICROS_PER_SEARCH = 10_000
/** A rate times its multipliers has at most six decimals, so that its product with SCALE is an integer. */
const SCALE = 1_000_000
const INPUT_CLASS = { '5m': 'cacheWrite5m', '1h': 'cacheWrite1h' } as const

type ListedPrice = PriceList['models'][number]
/** Rates and when they begin (ms since 1970). Lists of eras are in order, the newest first. */
interface Era {
  from: number
  rates: ModelRates
}

export function createPrices(list: PriceList, overrides: readonly PriceOverride[] = []): Prices {
  const spellingOf = createSpellings(
    list,
    overrides.map(({ model }) => model),
  )
  const unknown = list.modifiers.unknown_model_default
  const canonical = (model: string) => spellingOf(model).name

  const eras = new Map(list.models.map((model) => [model.id, erasOf(model)]))
  for (const override of overrides.toSorted((a, b) => startOf(a) - startOf(b))) {
    const name = canonical(override.model)
    const listed = eras.get(name) ?? []
    const era = { from: startOf(override), rates: ownRates(override, listed[0]?.rates) }
    eras.set(name, [era, ...listed])
  }
  const rates = (model: string, at: number) =>
    eras.get(canonical(model))?.find(({ from }) => from <= at)?.rates

  return {
    canonical,
    rates,
    cost(metered, model, at) {
      let scaled = metered.webSearches * MICROS_PER_SEARCH * SCALE
      let unpriced = false
      for (const part of metered.parts) {
        const served = part.model ?? model
        const found = rates(served, at)
        if (!found) unpriced = true
        const base = bandOf(found ?? unknown, found?.longPrompt, promptOf(part.tokens))
        const fast = metered.fast || spellingOf(served).fast
        scaled += scaledCost(
          part.tokens,
          base,
          multiplierOf({ ...metered, fast }, found?.fastMultiplier ?? 1),
        )
      }
      const rest = scaled % SCALE
      return { costMicros: (scaled - rest) / SCALE + (2 * rest >= SCALE ? 1 : 0), unpriced }
    },
    estimate(model, { input, output, webSearches = 0, fast = false, cached }, at) {
      const found = rates(model, at)
      const band = bandOf(found ?? unknown, found?.longPrompt, input)
      const tokens = { ...NO_TOKENS, output, [cached ? INPUT_CLASS[cached] : 'input']: input }
      const isFast = fast || spellingOf(model).fast
      const scaled = scaledCost(tokens, band, isFast ? (found?.fastMultiplier ?? 1) : 1)
      return Math.ceil(scaled / SCALE) + webSearches * MICROS_PER_SEARCH
    },
  }
}

/** A history entry holds before its `until`; rates that it leaves out are those of the next era. */
function erasOf(listed: ListedPrice): Era[] {
  let rates: ModelRates = {
    ...ratesOf(listed),
    name: listed.name,
    context: listed.context,
    maxOutput: listed.max_output,
    longPrompt: listed.long_prompt && {
      ...ratesOf(listed.long_prompt),
      thresholdPromptTokens: listed.long_prompt.threshold_prompt_tokens,
    },
    fastMultiplier: listed.fast_multiplier ?? 1,
  }
  const eras: Era[] = []
  const history = (listed.history ?? []).toSorted((a, b) => Date.parse(b.until) - Date.parse(a.until))
  for (const { until, ...older } of history) {
    eras.push({ from: Date.parse(until), rates })
    rates = { ...rates, ...overRates(rates, older) }
  }
  return [...eras, { from: Number.NEGATIVE_INFINITY, rates }]
}

function startOf({ effective_from }: PriceOverride): number {
  return effective_from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(effective_from)
}

function ownRates(override: PriceOverride, listed: ModelRates | undefined): ModelRates {
  return {
    ...ratesOf(override),
    name: listed?.name,
    context: listed?.context,
    maxOutput: listed?.maxOutput,
    longPrompt: undefined,
    fastMultiplier: listed?.fastMultiplier ?? 1,
  }
}

function ratesOf({ input, output, cache_read, cache_write_5m, cache_write_1h }: Rates): Rates {
  return { input, output, cache_read, cache_write_5m, cache_write_1h }
}

function overRates(rates: Rates, change: Partial<Record<keyof Rates, number | undefined>>): Rates {
  return {
    input: change.input ?? rates.input,
    output: change.output ?? rates.output,
    cache_read: change.cache_read ?? rates.cache_read,
    cache_write_5m: change.cache_write_5m ?? rates.cache_write_5m,
    cache_write_1h: change.cache_write_1h ?? rates.cache_write_1h,
  }
}

function promptOf(tokens: TokenCounts): number {
  return tokens.input + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h
}

function bandOf(base: Rates, long: ModelRates['longPrompt'], promptTokens: number): Rates {
  return long && promptTokens > long.thresholdPromptTokens ? long : base
}

/** Fast mode does not exist in batches (config/pricing.json, modifiers.fast.excludes). */
function multiplierOf(
  { batch, fast, geoUs }: Pick<BilledUsage, 'batch' | 'fast' | 'geoUs'>,
  fastMultiplier: number,
): number {
  const speed = fast && !batch ? fastMultiplier : 1
  return speed * (batch ? BATCH : 1) * (geoUs ? GEO_US : 1)
}

/** Cost in millionths of a micro-dollar; an integer, because each rate times `multiplier` is scaled to one first. */
function scaledCost(tokens: TokenCounts, rates: Rates, multiplier: number): number {
  const scaled = (dollars: number) => Math.round(dollars * multiplier * SCALE)
  return (
    tokens.input * scaled(rates.input) +
    tokens.output * scaled(rates.output) +
    tokens.cacheRead * scaled(rates.cache_read) +
    tokens.cacheWrite5m * scaled(rates.cache_write_5m) +
    tokens.cacheWrite1h * scaled(rates.cache_write_1h)
  )
}
