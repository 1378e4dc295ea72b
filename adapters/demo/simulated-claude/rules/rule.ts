/** What a rule of Claude's interface is, and the parts of a request that rules read. */
import * as z from 'zod'
import type { Abilities } from '../../../../core/models/abilities.ts'

const Cached = z.looseObject({ cache_control: z.looseObject({ ttl: z.string().optional() }).nullish() })
export const Block = Cached.extend({
  type: z.string(),
  text: z.unknown().optional(),
  id: z.unknown().optional(),
  name: z.unknown().optional(),
  input: z.unknown().optional(),
  tool_use_id: z.unknown().optional(),
  content: z.unknown().optional(),
  source: z.unknown().optional(),
  title: z.unknown().optional(),
  thinking: z.unknown().optional(),
  signature: z.unknown().optional(),
  data: z.unknown().optional(),
})
export type Block = z.infer<typeof Block>
const Content = z.union([z.string(), z.array(Block)])
const Tool = Cached.extend({
  type: z.string().nullish(),
  name: z.unknown().optional(),
  input_schema: z.unknown().optional(),
  strict: z.boolean().nullish(),
})
const Schema = z.unknown()

/** Other fields and types are none of the rules' business, because Claude's requests are an open schema. */
export const Request = z.looseObject({
  model: z.string(),
  max_tokens: z.number().optional(),
  messages: z.array(z.looseObject({ role: z.string(), content: Content.nullish() })),
  system: Content.nullish(),
  tools: z.array(Tool).nullish(),
  tool_choice: z.looseObject({ type: z.string(), name: z.string().optional() }).nullish(),
  thinking: z.looseObject({ type: z.string(), budget_tokens: z.number().optional() }).nullish(),
  temperature: z.number().nullish(),
  top_p: z.number().nullish(),
  top_k: z.number().nullish(),
  stop_sequences: z.array(z.string()).nullish(),
  output_config: z
    .looseObject({
      effort: z.string().nullish(),
      format: z.looseObject({ type: z.string(), schema: Schema.optional() }).nullish(),
    })
    .nullish(),
  cache_control: z.looseObject({ ttl: z.string().optional() }).nullish(),
})
export type Request = z.infer<typeof Request>

export interface Rule {
  /** A sentence that a request keeps or breaks. */
  rule: string
  /** Where it is said: a page of Anthropic's, or the sentence with which the API refuses. */
  source: string
  /** What is wrong, as Claude words it; undefined if nothing is. */
  broken(request: Request, abilities: Abilities): string | undefined
}

export interface Place {
  /** As Claude names it: messages.2.content.0 */
  at: string
  role: string
  block: Block
}

/** Every block of every message. A content that is a string is a block of text. */
export function blocksOf({ messages }: Request): Place[] {
  return messages.flatMap(({ role, content }, i) =>
    listed(content).map((block, k) => ({ at: `messages.${i}.content.${k}`, role, block })),
  )
}

export function listed(content: string | Block[] | null | undefined): Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content ?? [])
}

/** The blocks in a tool's result. */
function partsOf({ content }: Block): Block[] {
  const found = Content.safeParse(content)
  return found.success ? listed(found.data) : []
}

/** The blocks of a turn and those in its results, with their places. */
export function withParts(places: readonly Place[]): Place[] {
  return places.flatMap((place) => [
    place,
    ...(place.block.type === 'tool_result'
      ? partsOf(place.block).map((block, i) => ({ ...place, block, at: `${place.at}.content.${i}` }))
      : []),
  ])
}

/** The first thing found, from a list in which most find nothing. */
export function first(found: Iterable<string | undefined | false | null>): string | undefined {
  for (const one of found) if (one) return one
  return undefined
}
