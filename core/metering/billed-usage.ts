/** From the usage an upstream reports to what is billed (core/calls/PROTOCOL.md, Usage). */

import { isRecord } from '../json/is-record.ts'
import type { BilledPart, BilledUsage, TokenCounts } from './tokens.ts'

/** `usage` as it came: an open schema. */
export type RawUsage = Record<string, unknown>

const TOKEN_FIELDS = new Set([
  'input_tokens',
  'output_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'cache_creation',
])
const EXTRA_BYTES = 4096
/** No call uses more tokens: a larger count is wrong, and would spoil every sum. */
const MOST_TOKENS = 1_000_000_000

/** A message_delta's usage over what was known: it is cumulative, so it replaces and never adds; null and absent keep. */
export function mergeUsage(known: RawUsage, change: RawUsage): RawUsage {
  const merged = { ...known }
  for (const [field, value] of Object.entries(change)) {
    if (value === null || value === undefined) continue
    // Some relays send 0 here for "as at the start"; Claude Code keeps the start's value as well.
    if (
      field === 'input_tokens' &&
      value === 0 &&
      typeof known.input_tokens === 'number' &&
      known.input_tokens > 0
    )
      continue
    merged[field] = value
  }
  return merged
}

interface End {
  /** The final usage came whole. */
  final: boolean
  /** Output tokens by the characters that passed, for when the final usage did not come whole. */
  estimatedOutput: number
  /** A refusal before any output: reported, but not billed. */
  refusedUnserved: boolean
  /** The model a fallback block named. */
  servedBy: string | undefined
  /** An error ended the answer. */
  failed: boolean
}

export function billedUsage(usage: RawUsage, end: End): BilledUsage {
  const reader = createCountReader()
  const parts = end.refusedUnserved ? [] : partsOf(usage, end.servedBy, reader)
  const [first] = parts
  if (!end.final && first) {
    first.tokens.output = Math.max(first.tokens.output, end.estimatedOutput)
  }
  const searches = isRecord(usage.server_tool_use)
    ? reader.count(usage.server_tool_use.web_search_requests)
    : 0
  return {
    parts,
    webSearches: end.refusedUnserved ? 0 : searches,
    fast: usage.speed === 'fast',
    geoUs: usage.inference_geo === 'us',
    batch: usage.service_tier === 'batch',
    serviceTier: nameIn(usage.service_tier),
    speed: nameIn(usage.speed),
    geo: nameIn(usage.inference_geo),
    estimated: !end.final || reader.clamped() || isRepriced(usage),
    // An error before any output cost nothing, even if its input is not told.
    inputUnknown: !isInputKnown(usage) && !(end.failed && end.estimatedOutput === 0),
    extra: extraOf(usage),
    promptLosses: [],
  }
}

/** A short name; '' for anything else. */
function nameIn(value: unknown): string {
  return typeof value === 'string' && /^[\w-]{1,32}$/.test(value) ? value : ''
}

/** Whether the usage tells its input, at its top level or by iterations. */
function isInputKnown(usage: RawUsage): boolean {
  return [usage.input_tokens, usage.iterations].some((found) => found !== undefined && found !== null)
}

type CountReader = ReturnType<typeof createCountReader>

/** The whole number in range that is nearest to a count from outside; 0 for what is no number. */
export function countFrom(value: unknown): number {
  return typeof value === 'number' ? Math.min(Math.max(0, Math.round(value)), MOST_TOKENS) : 0
}

/** Reads counts from whatever the upstream sent. What is no whole number in range becomes one, and `clamped` tells so. */
function createCountReader() {
  let clamped = false
  return {
    clamped: () => clamped,
    count(value: unknown): number {
      const count = countFrom(value)
      clamped ||= count !== (value ?? 0)
      return count
    },
  }
}

/** A redeemed credit is billed as if another model had had the whole conversation: what that costs is not in the usage. */
function isRepriced({ fallback_credit: credit }: RawUsage): boolean {
  return isRecord(credit) && isRecord(credit.status) && credit.status.type === 'redeemed'
}

/**
 * One part from the top-level figures; or one per billed iteration, if other models or a compaction took part (the top
 * level leaves those out), or if iterations add up to the top level (each prompt's own length decides its prices).
 */
function partsOf(usage: RawUsage, servedBy: string | undefined, reader: CountReader): BilledPart[] {
  const whole: BilledPart = { model: servedBy, tokens: tokensOf(usage, 0, reader) }
  const iterations = Array.isArray(usage.iterations) ? usage.iterations.filter(isRecord) : []
  const isPlain = !iterations.some(({ type, model }) => type !== 'message' || typeof model === 'string')
  if (iterations.length === 0 || (isPlain && !addsUp(iterations, whole.tokens))) return [whole]
  let oneHourLeft = whole.tokens.cacheWrite1h
  const answered = iterations.findLastIndex(({ type }) => type === 'fallback_message')
  const billed = iterations.filter((entry, at) => at >= answered || !isDeclined(entry))
  return billed.map((entry) => {
    const tokens = tokensOf(entry, oneHourLeft, reader)
    oneHourLeft = Math.max(0, oneHourLeft - tokens.cacheWrite1h)
    const fallback = isPlain ? servedBy : undefined
    return { model: typeof entry.model === 'string' ? entry.model : fallback, tokens }
  })
}

function addsUp(iterations: readonly RawUsage[], whole: TokenCounts): boolean {
  const reader = createCountReader()
  const all = iterations.map((entry) => tokensOf(entry, 0, reader))
  const sum = (count: (tokens: TokenCounts) => number) => all.reduce((total, one) => total + count(one), 0)
  return [
    ({ input }: TokenCounts) => input,
    ({ output }: TokenCounts) => output,
    ({ cacheRead }: TokenCounts) => cacheRead,
    ({ cacheWrite5m, cacheWrite1h }: TokenCounts) => cacheWrite5m + cacheWrite1h,
  ].every((count) => sum(count) === count(whole))
}

/** An attempt that was declined without output and gave way to a fallback costs nothing. */
function isDeclined({ type, output_tokens }: RawUsage): boolean {
  return output_tokens === 0 && type !== 'compaction'
}

/**
 * Server tools may raise the sum of cache writes after their split was told: what exceeds it is written for 5 minutes.
 * `oneHour`: what may have been written for an hour when the usage has no split of its own.
 */
function tokensOf(usage: RawUsage, oneHour: number, reader: CountReader): TokenCounts {
  const split = isRecord(usage.cache_creation) ? usage.cache_creation : undefined
  const oneHourOfSplit = split && reader.count(split.ephemeral_1h_input_tokens)
  const writes =
    split && (usage.cache_creation_input_tokens ?? undefined) === undefined
      ? (oneHourOfSplit ?? 0) + reader.count(split.ephemeral_5m_input_tokens)
      : reader.count(usage.cache_creation_input_tokens)
  const cacheWrite1h = Math.min(oneHourOfSplit ?? oneHour, writes)
  return {
    input: reader.count(usage.input_tokens),
    output: reader.count(usage.output_tokens),
    cacheRead: reader.count(usage.cache_read_input_tokens),
    cacheWrite5m: writes - cacheWrite1h,
    cacheWrite1h,
  }
}

/** As JSON, at most EXTRA_BYTES long: what is large (iterations, things unknown) is left out first. */
function extraOf(usage: RawUsage): string | null {
  const extra = Object.entries(usage).filter(([field, value]) => {
    if (TOKEN_FIELDS.has(field) || value === null || value === undefined) return false
    return !(field === 'service_tier' && value === 'standard')
  })
  if (extra.length === 0) return null
  const whole = jsonOf(extra)
  if (whole !== null) return whole
  return jsonOf(
    extra.filter(([field, value]) => field.length < 64 && (jsonOf([[field, value]])?.length ?? 512) < 512),
  )
}

/** null when it would be too long, or nested too deeply to be written at all. */
function jsonOf(fields: [string, unknown][]): string | null {
  try {
    if (fields.length === 0) return null
    const text = JSON.stringify(Object.fromEntries(fields))
    return text.length <= EXTRA_BYTES ? text : null
  } catch {
    return null
  }
}
