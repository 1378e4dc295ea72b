/** Schema of the fields of OpenAI's responses that are read (core/calls/PROTOCOL.md, OpenAI's requests). */
import * as z from 'zod'
import { ModelName } from '../../models/name.ts'
import { FREE_FORMATS, MARK, Speed, tokens } from './chat-shape.ts'
import { AskedChoice, AskedTool } from './responses-tools.ts'
import { REASONING_EFFORTS } from './tuning.ts'

const text = z.string()
const TextPart = z.looseObject({
  type: z.enum(['input_text', 'output_text', 'text']),
  text,
  ...MARK,
})
const ImagePart = z.looseObject({
  type: z.literal('input_image'),
  image_url: text.nullish(),
  file_id: text.nullish(),
  ...MARK,
})
const FilePart = z.looseObject({
  type: z.literal('input_file'),
  file_data: text.nullish(),
  file_id: text.nullish(),
  file_url: text.nullish(),
  filename: text.nullish(),
  ...MARK,
})
const RefusalPart = z.looseObject({ type: z.literal('refusal'), refusal: text })
const Part = z.discriminatedUnion('type', [TextPart, ImagePart, FilePart, RefusalPart])
export type Part = z.infer<typeof Part>

const Message = z.looseObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([text, z.array(Part)]),
})
const FunctionCall = z.looseObject({
  type: z.literal('function_call'),
  call_id: text,
  name: text,
  namespace: text.nullish(),
  arguments: text,
})
const FunctionOutput = z.looseObject({
  type: z.enum(['function_call_output', 'custom_tool_call_output']),
  call_id: text,
  output: z.union([text, z.array(Part)]),
})
const Reasoning = z.looseObject({ type: z.literal('reasoning'), encrypted_content: text.nullish() })
/** Items with a shape of their own, which they have to keep. */
const SHAPED = new Set([
  'message',
  'function_call',
  'function_call_output',
  'custom_tool_call_output',
  'reasoning',
])
const Other = z.looseObject({ type: text.refine((type) => !SHAPED.has(type), { abort: true }) })
export const Item = z.union([Message, FunctionCall, FunctionOutput, Reasoning, Other])
export type Item = z.infer<typeof Item>

export const ResponsesRequest = z.looseObject({
  model: ModelName,
  input: z.union([text, z.array(Item)]),
  instructions: text.nullish(),
  max_output_tokens: tokens.nullish(),
  stream: z.boolean().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  tools: z.array(AskedTool).nullish(),
  tool_choice: AskedChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z
    .looseObject({
      format: z
        .discriminatedUnion('type', [
          ...FREE_FORMATS,
          z.looseObject({
            type: z.literal('json_schema'),
            description: text.nullish(),
            schema: z.record(text, z.unknown()),
          }),
        ])
        .nullish(),
    })
    .nullish(),
  reasoning: z
    .looseObject({ effort: z.enum(REASONING_EFFORTS).nullish(), summary: text.nullish() })
    .nullish(),
  include: z.array(text).nullish(),
  user: text.nullish(),
  safety_identifier: text.nullish(),
  metadata: z.record(text, z.unknown()).nullish(),
  prompt_cache_key: text.nullish(),
  prompt_cache_options: z.looseObject({ mode: text.nullish() }).nullish(),
  previous_response_id: text.nullish(),
  conversation: z.unknown().optional(),
  background: z.boolean().nullish(),
  store: z.boolean().nullish(),
  thinking: z.record(text, z.unknown()).nullish(),
  service_tier: text.nullish(),
  speed: Speed.nullish(),
})
export type ResponsesRequest = z.infer<typeof ResponsesRequest>
