/** The fields of a request that the simulated Claude reads. */
import * as z from 'zod'

export const Block = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  content: z.unknown().optional(),
  is_error: z.boolean().nullish(),
})
const Tool = z.looseObject({
  name: z.string().optional(),
  type: z.string().nullish(),
  input_schema: z.unknown().optional(),
  defer_loading: z.boolean().nullish(),
})
const Format = z.looseObject({ type: z.string(), schema: z.unknown().optional() })

/** Other fields are accepted, because Claude's requests are an open schema. */
export const Asked = z.looseObject({
  model: z.string().min(1),
  messages: z
    .array(z.looseObject({ role: z.string(), content: z.union([z.string(), z.array(Block)]).nullish() }))
    .min(1),
  system: z.union([z.string(), z.array(Block)]).nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(Tool).nullish(),
  tool_choice: z.looseObject({ type: z.string(), name: z.string().optional() }).nullish(),
  output_config: z.looseObject({ format: Format.nullish() }).nullish(),
  safeguards: z.unknown().optional(),
})
export type Asked = z.infer<typeof Asked>
/** `max_tokens: 0` fills the cache, and has no answer. */
export const AskedMessage = Asked.extend({ max_tokens: z.int().min(0) })
export type AskedMessage = z.infer<typeof AskedMessage>
