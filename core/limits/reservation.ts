/** How much a call may use: what is held against limits before its true use is known. */
import type { Call } from '../calls/call.ts'
import type { Deps } from '../deps.ts'
import { abilitiesOf } from '../models/abilities.ts'
import type { Estimate } from '../ports.ts'

/** Bytes per token, where only the size of a text is known. */
const BYTES_PER_TOKEN = 4
/** The context window, in tokens, of models that are in no price list. */
const USUAL_CONTEXT = 200_000
/** More than any model writes or searches: bounds, so that sums stay exact whatever a request says. */
const MOST_OUTPUT = 1_000_000
const MOST_SEARCHES = 1_000

export interface Reservation {
  /** Tokens of the request by the size of its body: recorded where nothing better is known. */
  inputTokens: number
  usual: Estimate
  worst: Estimate
}

type Parts = Pick<Deps, 'prices' | 'settings' | 'abilities' | 'catalogue'>

/**
 * At worst a call reads what its body says, or all that fits into the model when content is named by reference or
 * fetched by tools of the upstream, writes it to the cache, and answers with all of max_tokens; at the prices of the
 * most expensive model it names. Usually its answer has `limits.reserve_output` tokens at most, if that is set.
 */
export function reservationOf(
  { prices, settings, abilities, catalogue }: Parts,
  call: Call,
  { batch }: { batch: boolean } = { batch: false },
): Reservation {
  const inputTokens = Math.ceil(call.body.byteLength / BYTES_PER_TOKEN)
  const fetches = call.namesContentByReference || call.serverToolUses > 0
  const models = [...new Set([call.model, ...call.otherModels])]
  const largestOutput = (model: string) => {
    const priced = prices.rates(model, call.createdAt)?.maxOutput ?? 0
    return Math.max(priced, abilitiesOf(abilities, prices.canonical(model), catalogue.known(model)).maxOutput)
  }
  const output = Math.min(call.maxTokens ?? largest(models.map(largestOutput)), MOST_OUTPUT)
  const ofModel = (model: string, output: number): Estimate => {
    const context = prices.rates(model, call.createdAt)?.context ?? USUAL_CONTEXT
    const input = fetches ? Math.max(inputTokens, context) : inputTokens
    const size = {
      input,
      output,
      webSearches: Math.min(call.webSearches, MOST_SEARCHES),
      fast: call.fast,
      geoUs: call.geoUs,
      batch,
      cached: call.longCache ? ('1h' as const) : undefined,
    }
    return { tokens: input + output, costMicros: prices.estimate(model, size, call.createdAt) }
  }
  const atMost = (output: number): Estimate => {
    const all = models.map((model) => ofModel(model, output))
    return {
      tokens: largest(all.map(({ tokens }) => tokens)),
      costMicros: largest(all.map(({ costMicros }) => costMicros)),
    }
  }
  const worst = atMost(output)
  const { reserveOutputTokens } = settings.limits
  const usual =
    reserveOutputTokens !== undefined && reserveOutputTokens < output ? atMost(reserveOutputTokens) : worst
  return { inputTokens, usual, worst }
}

/** Not Math.max, which takes only so many arguments. */
function largest(numbers: readonly number[]): number {
  return numbers.reduce((most, one) => Math.max(most, one), 0)
}
