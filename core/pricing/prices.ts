/**
 * What tokens cost. A rate is in dollars per million tokens, which equals micro-dollars per token, and holds for a period.
 * Parts of a call are summed as integers in millionths of a micro-dollar, exact up to $9,000 (2^53), and rounded half up
 * once. Source of the rates: https://platform.claude.com/docs/en/about-claude/pricing
 */
import { type BilledUsage, NO_TOKENS, promptOf } from '../metering/tokens.ts'
import type { PriceList, PriceOverride, Rates } from './list.ts'
import {
  CLASSES,
  NOTHING,
  type Price,
  roundedParts,
  SCALE,
  scaledClasses,
  scaledCost,
  sumOf,
  uncachedCost,
} from './parts.ts'
import { createSpellings } from './spellings.ts'

interface ModelRates extends Rates {
  name: string | undefined
  /** Size of the context window and of the longest answer, in tokens; undefined when unknown. */
  context: number | undefined
  maxOutput: number | undefined
  longPrompt: (Rates & { thresholdPromptTokens: number }) | undefined
  fastMultiplier: number
  regionalMultiplier: number
}

/** Prices of one backend beside those that hold for all. */
export interface OwnPrices {
  backend: string
  overrides: readonly PriceOverride[]
  /** Of every rate, such as 0.85 for a discount; two decimals at most. */
  multiplier: number
  /** Models that it serves from within a region. */
  regional?: readonly string[]
}

type BackendPrices = Pick<Prices, 'cost' | 'estimate'>

export interface Prices {
  /**
   * Cost of a call in whole micro-dollars, at the prices of its start (`at`, ms since 1970). `model` is the model of the parts
   * that name none. Multipliers: core/calls/PROTOCOL.md, Prices. Unknown models cost a high default rate and are `unpriced`.
   */
  cost(metered: BilledUsage, model: string, at: number): Price
  /** The most that a call of this size may cost at any backend, in micro-dollars, rounded up. */
  estimate(model: string, size: EstimatedSize, at: number): number
  /** Dollars per million tokens; undefined for an unknown model. */
  rates(model: string, at: number): ModelRates | undefined
  /** What calls cost at this backend, which may have prices of its own. Its `estimate` is of this backend alone. */
  of(backend: string): BackendPrices
  /** The canonical name of a model: without date, alias, provider's prefix, dots, marks ([1m], -fast) and upper case. */
  canonical(model: string): string
}

interface EstimatedSize {
  input: number
  output: number
  webSearches?: number
  fast?: boolean
  geoUs?: boolean
  batch?: boolean
  /** Lifetime of the cache that the input may be written to, which costs more than plain input; undefined = no cache. */
  cached?: '5m' | '1h' | undefined
}

const GEO_US = 1.1
const BATCH = 0.5
const MICROS_PER_SEARCH = 10_000
const INPUT_CLASS = { '5m': 'cacheWrite5m', '1h': 'cacheWrite1h' } as const

type ListedPrice = PriceList['models'][number]
/** Rates and when they begin (ms since 1970). Lists of eras are in order, the newest first. */
interface Era {
  from: number
  rates: ModelRates
}

export function createPrices(
  list: PriceList,
  overrides: readonly PriceOverride[] = [],
  own: readonly OwnPrices[] = [],
): Prices {
  const common = pricesOf(list, overrides, { multiplier: 1 })
  const byBackend = new Map(
    own.map((one) => [one.backend, pricesOf(list, [...overrides, ...one.overrides], one)]),
  )
  const all = [common, ...byBackend.values()]
  return {
    ...common,
    of: (backend) => byBackend.get(backend) ?? common,
    estimate: (...asked) => Math.max(...all.map(({ estimate }) => estimate(...asked))),
  }
}

function pricesOf(
  list: PriceList,
  overrides: readonly PriceOverride[],
  { multiplier: factor, regional = [] }: Pick<OwnPrices, 'multiplier' | 'regional'>,
): Omit<Prices, 'of'> {
  const spellingOf = createSpellings(
    list,
    overrides.map(({ model }) => model),
  )
  const unknown = list.modifiers.unknown_model_default
  const perSearch = Math.round(MICROS_PER_SEARCH * factor)
  const canonical = (model: string) => spellingOf(model).name
  const inRegion = new Set(regional.map(canonical))

  const eras = new Map(list.models.map((model) => [model.id, erasOf(model)]))
  for (const override of overrides.toSorted((a, b) => startOf(a) - startOf(b))) {
    const name = canonical(override.model)
    const listed = eras.get(name) ?? []
    const era = { from: startOf(override), rates: ownRates(override, listed[0]?.rates) }
    eras.set(name, [era, ...listed])
  }
  const rates = (model: string, at: number) =>
    eras.get(canonical(model))?.find(({ from }) => from <= at)?.rates
  const factorOf = (model: string, found: ModelRates | undefined) =>
    factor * (inRegion.has(canonical(model)) ? (found?.regionalMultiplier ?? 1) : 1)

  return {
    canonical,
    rates,
    cost(metered, model, at) {
      const scaled = { ...NOTHING, serverToolMicros: metered.webSearches * perSearch * SCALE }
      let saved = 0
      let unpriced = false
      for (const part of metered.parts) {
        const served = part.model ?? model
        const found = rates(served, at)
        if (!found) unpriced = true
        const base = bandOf(found ?? unknown, found?.longPrompt, promptOf(part.tokens))
        const fast = metered.fast || spellingOf(served).fast
        const speed = multiplierOf({ ...metered, fast }, found?.fastMultiplier ?? 1)
        const multiplier = factorOf(served, found) * speed
        const classes = scaledClasses(part.tokens, base, multiplier)
        for (const name of CLASSES) scaled[name] += classes[name]
        saved += uncachedCost(part.tokens, base, multiplier) - sumOf(classes)
      }
      return { ...roundedParts(scaled), savedMicros: Math.round(saved / SCALE) + 0, unpriced }
    },
    estimate(model, size, at) {
      const { input, output, webSearches = 0, fast = false, geoUs = false, batch = false, cached } = size
      const found = rates(model, at)
      const band = bandOf(found ?? unknown, found?.longPrompt, input)
      const tokens = { ...NO_TOKENS, output, [cached ? INPUT_CLASS[cached] : 'input']: input }
      const asked = { fast: fast || spellingOf(model).fast, geoUs, batch }
      const speed = multiplierOf(asked, found?.fastMultiplier ?? 1)
      const scaled = scaledCost(tokens, band, factorOf(model, found) * speed)
      return Math.ceil(scaled / SCALE) + webSearches * perSearch
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
    regionalMultiplier: listed.regional_multiplier ?? 1,
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
    // Who sets a price sets that of the place, too.
    regionalMultiplier: 1,
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
