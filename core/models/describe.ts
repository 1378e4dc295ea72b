/** What a model is, from the upstream's list, the price list and the table of abilities: for people who choose one. */
import * as z from 'zod'
import type { Prices } from '../pricing/prices.ts'
import { type AbilityTable, abilitiesOf, type ThinkingType } from './abilities.ts'
import type { ListedModel } from './catalogue.ts'

/** As the upstream names them (core/calls/PROTOCOL.md, Models), and `fast`: it takes `speed: fast`. */
export const ABILITIES = [
  'thinking',
  'effort',
  'structured_outputs',
  'image_input',
  'pdf_input',
  'citations',
  'server_tools',
  'batch',
  'fast',
] as const
type Ability = (typeof ABILITIES)[number]

export interface ModelDescription {
  /** Sizes in tokens; null = not known. */
  contextTokens: number | null
  maxOutputTokens: number | null
  abilities: Ability[]
  /** The ways of thinking that a call may ask for; empty = not known. */
  thinking: ThinkingType[]
  /** Ms since 1970; null = the upstream names no end. */
  retiresAt: number | null
}

const size = z.int().positive().optional().catch(undefined)
const flag = z.looseObject({ supported: z.boolean() }).optional().catch(undefined)
const Listed = z.looseObject({
  max_input_tokens: size,
  max_tokens: size,
  capabilities: z.partialRecord(z.string(), flag).optional().catch(undefined),
})

/** `canonical`: the model's canonical name. `now`: ms since 1970. Of a model that nobody knows, only what its list says. */
export function describeModel(
  { prices, abilities: table }: { prices: Pick<Prices, 'rates'>; abilities: AbilityTable },
  { canonical, listed }: { canonical: string; listed: ListedModel },
  now: number,
): ModelDescription {
  const { max_input_tokens, max_tokens, capabilities = {} } = Listed.parse(listed)
  const rates = prices.rates(canonical, now)
  // The table's last row holds for every model, and knows nothing about one without a price.
  const known = rates && abilitiesOf(table, canonical, listed)
  const inTable: Partial<Record<string, boolean>> = known
    ? {
        thinking: known.thinking.has('adaptive') || known.thinking.has('enabled'),
        effort: known.effort.size > 0,
        structured_outputs: known.structuredOutputs,
        fast: known.fast,
      }
    : {}
  const end = endOf(listed)
  return {
    contextTokens: max_input_tokens ?? rates?.context ?? null,
    maxOutputTokens: max_tokens ?? rates?.maxOutput ?? known?.maxOutput ?? null,
    abilities: ABILITIES.filter((name) => capabilities[name]?.supported ?? inTable[name] ?? false),
    thinking: [...(known?.thinking ?? [])],
    retiresAt: Number.isFinite(end) ? end : null,
  }
}

/** When the upstream ends it (ms since 1970), as its list says; never if it does not, or in words that are no time. */
export function endOf({ retires_at: text }: ListedModel): number {
  const at = typeof text === 'string' ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? Number.POSITIVE_INFINITY : at
}
