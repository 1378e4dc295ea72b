/** The price list as it is shipped, and what an operator puts over it. */
import * as z from 'zod'

const rate = z.number().min(0)
const RateFields = {
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
}
const Rates = z.object(RateFields)
export type Rates = z.infer<typeof Rates>
const Listed = Rates.extend({
  id: z.string(),
  name: z.string().optional(),
  aliases: z.array(z.string()).optional(),
  /** Size of the context window and of the longest answer, in tokens. */
  context: z.int().optional(),
  max_output: z.int().optional(),
  fast_multiplier: z.number().optional(),
  /** What regional endpoints of clouds ask for it beside the list. */
  regional_multiplier: z.number().optional(),
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

/** Rates set by the operator, valid from the start of the UTC day `effective_from` or always; the same for long prompts. */
export interface PriceOverride extends Rates {
  model: string
  effective_from?: string | undefined
}
