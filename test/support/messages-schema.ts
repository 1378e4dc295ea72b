/**
 * A request of Claude's Messages interface, strictly: fields and kinds as the types of @anthropic-ai/sdk 1.14.0 have them.
 * For checking what translations write, beside the rules that the simulated Claude refuses by.
 */
import * as z from 'zod'

const CacheControl = z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() })
const cached = { cache_control: CacheControl.optional() }
const nonEmpty = z.string().min(1)
const Text = z.strictObject({ type: z.literal('text'), text: nonEmpty, ...cached })
const MediaType = z.enum(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])
const Image = z.strictObject({
  type: z.literal('image'),
  source: z.union([
    z.strictObject({ type: z.literal('base64'), media_type: MediaType, data: nonEmpty }),
    z.strictObject({ type: z.literal('url'), url: z.url() }),
  ]),
  ...cached,
})
const Document = z.strictObject({
  type: z.literal('document'),
  source: z.union([
    z.strictObject({ type: z.literal('base64'), media_type: z.literal('application/pdf'), data: nonEmpty }),
    z.strictObject({ type: z.literal('text'), media_type: z.literal('text/plain'), data: z.string() }),
    z.strictObject({ type: z.literal('url'), url: z.url() }),
  ]),
  title: z.string().optional(),
  ...cached,
})
const toolId = z.string().regex(/^[a-zA-Z0-9_-]+$/)
const toolName = z.string().regex(/^[a-zA-Z0-9_-]{1,128}$/)
const ToolUse = z.strictObject({
  type: z.literal('tool_use'),
  id: toolId,
  name: toolName,
  input: z.record(z.string(), z.unknown()),
  ...cached,
})
const ToolResult = z.strictObject({
  type: z.literal('tool_result'),
  tool_use_id: toolId,
  content: z.array(z.union([Text, Image, Document])),
  ...cached,
})
const Thinking = z.strictObject({ type: z.literal('thinking'), thinking: z.string(), signature: nonEmpty })

const Redacted = z.strictObject({ type: z.literal('redacted_thinking'), data: nonEmpty })

const User = z.strictObject({
  role: z.literal('user'),
  content: z.array(z.union([Text, Image, Document, ToolResult])).min(1),
})
const Assistant = z.strictObject({
  role: z.literal('assistant'),
  content: z.array(z.union([Text, ToolUse, Thinking, Redacted])).min(1),
})
const System = z.strictObject({ role: z.literal('system'), content: z.array(Text).min(1) })

const parallel = { disable_parallel_tool_use: z.boolean().optional() }
const ToolChoice = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('auto'), ...parallel }),
  z.strictObject({ type: z.literal('any'), ...parallel }),
  z.strictObject({ type: z.literal('tool'), name: toolName, ...parallel }),
])
const Tool = z.union([
  z.strictObject({
    name: toolName,
    description: z.string().optional(),
    input_schema: z.looseObject({ type: z.literal('object') }),
    strict: z.boolean().optional(),
  }),
  z.strictObject({
    type: z.literal('web_search_20250305'),
    name: z.literal('web_search'),
    allowed_domains: z.array(z.string()).min(1).optional(),
    user_location: z
      .strictObject({
        type: z.literal('approximate'),
        city: nonEmpty.optional(),
        region: nonEmpty.optional(),
        country: nonEmpty.optional(),
        timezone: nonEmpty.optional(),
      })
      .optional(),
  }),
])

export const StrictMessagesRequest = z.strictObject({
  model: nonEmpty,
  max_tokens: z.int().min(1),
  messages: z.array(z.discriminatedUnion('role', [User, Assistant, System])).min(1),
  stream: z.boolean(),
  system: z.array(Text).min(1).optional(),
  stop_sequences: z.array(z.string().regex(/\S/)).min(1).optional(),
  temperature: z.number().min(0).max(1).optional(),
  top_p: z.number().min(0).max(1).optional(),
  tools: z.array(Tool).min(1).optional(),
  tool_choice: ToolChoice.optional(),
  thinking: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.enum(['adaptive', 'disabled', 'between_tools']) }),
      z.strictObject({ type: z.literal('enabled'), budget_tokens: z.int().min(1024) }),
    ])
    .optional(),
  output_config: z
    .strictObject({
      effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional(),
      format: z
        .strictObject({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) })
        .optional(),
    })
    .optional(),
  metadata: z.strictObject({ user_id: z.string().max(256) }).optional(),
  cache_control: CacheControl.optional(),
  speed: z.literal('fast').optional(),
})
export type StrictMessagesRequest = z.infer<typeof StrictMessagesRequest>
