/** The parts that a cost consists of, in millionths of a micro-dollar, and how they are rounded. */
import { NO_TOKENS, promptOf, type TokenCounts } from '../metering/tokens.ts'

/** A rate times its multipliers has at most six decimals, so that its product with SCALE is an integer. */
export const SCALE = 1_000_000

/** Dollars per million tokens. */
export interface ClassRates {
  input: number
  output: number
  cache_read: number
  cache_write_5m: number
  cache_write_1h: number
}

/** Micro-dollars. Parts add up to the cost: what is left over by rounding is in the largest. */
export interface Price {
  costMicros: number
  inputMicros: number
  outputMicros: number
  cacheReadMicros: number
  cacheWrite5mMicros: number
  cacheWrite1hMicros: number
  serverToolMicros: number
  /** What it would have cost more without the prompt cache; negative where writing it cost more than it saved. */
  savedMicros: number
  /** A model has no price. */
  unpriced: boolean
}

type Classes = Omit<Price, 'costMicros' | 'savedMicros' | 'unpriced'>
export const NOTHING: Classes = {
  inputMicros: 0,
  outputMicros: 0,
  cacheReadMicros: 0,
  cacheWrite5mMicros: 0,
  cacheWrite1hMicros: 0,
  serverToolMicros: 0,
}
export const CLASSES = Object.keys(NOTHING) as (keyof Classes)[] // holds because NOTHING has these and no others

/** Costs in millionths of a micro-dollar; integers, because each rate times `multiplier` is scaled to one first. */
export function scaledClasses(tokens: TokenCounts, rates: ClassRates, multiplier: number): Classes {
  const scaled = (dollars: number) => Math.round(dollars * multiplier * SCALE)
  return {
    inputMicros: tokens.input * scaled(rates.input),
    outputMicros: tokens.output * scaled(rates.output),
    cacheReadMicros: tokens.cacheRead * scaled(rates.cache_read),
    cacheWrite5mMicros: tokens.cacheWrite5m * scaled(rates.cache_write_5m),
    cacheWrite1hMicros: tokens.cacheWrite1h * scaled(rates.cache_write_1h),
    serverToolMicros: 0,
  }
}

export function scaledCost(tokens: TokenCounts, rates: ClassRates, multiplier: number): number {
  return sumOf(scaledClasses(tokens, rates, multiplier))
}

/** What it would cost if nothing had come from a cache nor gone to one. */
export function uncachedCost(tokens: TokenCounts, rates: ClassRates, multiplier: number): number {
  return scaledCost({ ...NO_TOKENS, input: promptOf(tokens), output: tokens.output }, rates, multiplier)
}

export function sumOf(classes: Classes): number {
  return CLASSES.reduce((sum, name) => sum + classes[name], 0)
}

/** The cost, rounded half up, and its parts, rounded down, with what is left over in the largest. */
export function roundedParts(scaled: Classes): Classes & { costMicros: number } {
  const whole = (millionths: number) => (millionths - (millionths % SCALE)) / SCALE
  const sum = sumOf(scaled)
  const costMicros = whole(sum) + (2 * (sum % SCALE) >= SCALE ? 1 : 0)
  const parts = { ...NOTHING }
  let largest: keyof Classes = 'inputMicros'
  for (const name of CLASSES) {
    parts[name] = whole(scaled[name])
    if (scaled[name] > scaled[largest]) largest = name
  }
  parts[largest] += costMicros - sumOf(parts)
  return { ...parts, costMicros }
}
