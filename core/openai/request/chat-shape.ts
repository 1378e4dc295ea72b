/** Schema of the fields of chat completions that are read; other fields are ignored with a warning. */
import * as z from 'zod'
import { ModelName } from '../../models/name.ts'
import { REASONING_EFFORTS } from './tuning.ts'

const text = z.string()
const MOST_STOPS = 4
export const Speed = z.enum(['standard', 'fast'])
export const tokens = z.int().min(1, 'at least 1 is expected')
/** A mark of a part of content that is to be cached up to there: OpenAI's, or Claude's own. */
export const MARK = {
  prompt_cache_breakpoint: z.unknown().optional(),
  cache_control: z
    .looseObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() })
    .nullish(),
}
const TextPart = z.looseObject({
  type: z.literal('text'),
  text,
  ...MARK,
})
const UserPart = z.discriminatedUnion('type', [
  TextPart,
  z.looseObject({
    type: z.literal('image_url'),
    image_url: z.looseObject({ url: text }),
    ...MARK,
  }),
  z.looseObject({
    type: z.literal('file'),
    file: z.looseObject({
      file_data: text.optional(),
      file_id: text.optional(),
      filename: text.optional(),
    }),
    ...MARK,
  }),
  z.looseObject({ type: z.literal('input_audio') }),
])
export type UserPart = z.infer<typeof UserPart>
const AssistantPart = z.discriminatedUnion('type', [
  TextPart,
  z.looseObject({ type: z.literal('refusal'), refusal: text }),
])
const FunctionCall = z.looseObject({ name: text, arguments: text })
const Texts = z.union([text, z.array(TextPart)])

export const ChatMessage = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer']), content: Texts }),
  z.looseObject({ role: z.literal('user'), content: z.union([text, z.array(UserPart)]) }),
  z.looseObject({
    role: z.literal('assistant'),
    content: z.union([text, z.array(AssistantPart)]).nullish(),
    refusal: text.nullish(),
    audio: z.unknown().optional(),
    tool_calls: z
      .array(z.looseObject({ id: text, type: text.optional(), function: FunctionCall.optional() }))
      .nullish(),
    function_call: FunctionCall.nullish(),
  }),
  z.looseObject({
    role: z.literal('tool'),
    tool_call_id: text,
    content: z.union([text, z.array(UserPart)]),
  }),
  z.looseObject({ role: z.literal('function'), name: text, content: text.nullish() }),
])
export type ChatMessage = z.infer<typeof ChatMessage>

const FunctionShape = z.looseObject({
  name: text,
  description: text.nullish(),
  parameters: z.record(text, z.unknown()).nullish(),
  strict: z.boolean().nullish(),
})
const named = z.looseObject({ name: text })

/** Formats of an answer without a schema. */
export const FREE_FORMATS = [
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
] as const

export const ChatRequest = z.looseObject({
  model: ModelName,
  messages: z.array(ChatMessage).min(1, 'at least one message is expected'),
  max_completion_tokens: tokens.nullish(),
  max_tokens: tokens.nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  stop: z
    .union([text, z.array(text).max(MOST_STOPS, `at most ${MOST_STOPS} sequences are expected`)])
    .nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  n: z
    .int()
    .nullish()
    .meta({ enum: [1, null] }),
  tools: z.array(z.looseObject({ type: text, function: FunctionShape.optional() })).nullish(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.looseObject({ type: z.literal('function'), function: named }),
      z.looseObject({
        type: z.literal('allowed_tools'),
        allowed_tools: z.looseObject({
          mode: z.enum(['auto', 'required']),
          tools: z.array(z.looseObject({ function: named.optional() })),
        }),
      }),
    ])
    .nullish(),
  functions: z.array(FunctionShape).nullish(),
  function_call: z.union([z.enum(['none', 'auto']), named]).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z
    .discriminatedUnion('type', [
      ...FREE_FORMATS,
      z.looseObject({
        type: z.literal('json_schema'),
        json_schema: z.looseObject({
          description: text.nullish(),
          schema: z.record(text, z.unknown()).optional(),
        }),
      }),
    ])
    .nullish(),
  reasoning_effort: z.enum(REASONING_EFFORTS).nullish(),
  user: text.nullish(),
  safety_identifier: text.nullish(),
  modalities: z.array(text.meta({ enum: ['text'] })).nullish(),
  web_search_options: z.looseObject({ user_location: z.unknown().optional() }).nullish(),
  prompt_cache_key: text.nullish(),
  prompt_cache_options: z.looseObject({ mode: text.nullish() }).nullish(),
  thinking: z.record(text, z.unknown()).nullish(),
  service_tier: text.nullish(),
  speed: Speed.nullish(),
})
export type ChatRequest = z.infer<typeof ChatRequest>
