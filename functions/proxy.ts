/** Claude's and OpenAI's APIs, behind API keys. */
import * as z from 'zod'
import { forward, forwardFree } from '../core/calls/forward.ts'
import { type Received, receive } from '../core/calls/receive.ts'
import { nothingStored } from '../core/errors.ts'
import { findModel, listModels } from '../core/models/list.ts'
import { ModelName } from '../core/models/name.ts'
import { compact } from '../core/openai/compact.ts'
import { inputTokens } from '../core/openai/input-tokens.ts'
import { ChatRequest } from '../core/openai/request/chat-shape.ts'
import { ResponsesRequest } from '../core/openai/request/responses-shape.ts'
import { chatCompletions, responses } from '../core/openai/serve.ts'
import { type RouteCall, route } from './route.ts'

const cursor = z.string().max(256).optional()
const MOST_MODELS = 1000
const ModelPage = z.object({
  // Claude's default is 20, but clients of OpenAI's interface ask for no further page.
  limit: z.coerce.number().int().min(1).max(MOST_MODELS).default(MOST_MODELS),
  after_id: cursor,
  before_id: cursor,
})

/** For the reference only: requests are not parsed as a whole, because Claude checks all but the model. */
const MessagesRequest = z
  .looseObject({
    model: ModelName,
    messages: z.unknown().optional().meta({ description: 'The turns so far, as Claude takes them.' }),
    max_tokens: z.unknown().optional().meta({ description: 'The most tokens that the answer may have.' }),
  })
  .meta({ id: 'MessagesRequest' })
const Responses = ResponsesRequest.meta({ id: 'ResponsesRequest' })
/** Its form is the upstream's business. */
const ANSWER = { reply: z.looseObject({}), produces: ['application/json', 'text/event-stream'] }
const Model = z.looseObject({ id: z.string(), display_name: z.string() }).meta({ id: 'Model' })
const ModelList = z.strictObject({
  object: z.literal('list'),
  data: z.array(Model),
  has_more: z.boolean(),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
})

/** What OpenAI has for responses that it stored. */
const STORED = [
  { method: 'GET', path: '/v1/responses/:id' },
  { method: 'DELETE', path: '/v1/responses/:id' },
  { method: 'GET', path: '/v1/responses/:id/input_items' },
  { method: 'POST', path: '/v1/responses/:id/cancel' },
] as const

export const proxy = [
  route({
    method: 'POST',
    path: '/v1/messages',
    tier: 'key',
    dialect: 'anthropic',
    summary: "Claude's Messages interface: answered by a backend, byte for byte, streamed or whole.",
    accepts: MessagesRequest,
    ...ANSWER,
    async handle(call) {
      call.deps.telemetry.called(call.caller, call.headers)
      const receiving = receive(call.deps, await received(call))
      // A step that is waited for costs more than most of what is done in it, so only what has to be is.
      return await forward(call.deps, receiving instanceof Promise ? await receiving : receiving)
    },
  }),
  route({
    method: 'POST',
    path: '/v1/messages/count_tokens',
    tier: 'key',
    dialect: 'anthropic',
    summary: 'How many input tokens a request would have. Free: neither metered nor limited.',
    accepts: MessagesRequest,
    reply: z.looseObject({ input_tokens: z.int() }),
    handle: async (call) => forwardFree(call.deps, await receive(call.deps, await received(call, false))),
  }),
  route({
    method: 'POST',
    path: '/v1/chat/completions',
    tier: 'key',
    dialect: 'openai',
    summary:
      "OpenAI's chat completions, answered by Claude. What Claude has nothing like is named or refused.",
    accepts: ChatRequest.meta({ id: 'ChatCompletionRequest' }),
    ...ANSWER,
    handle: async (call) => chatCompletions(call.deps, await received(call)),
  }),
  route({
    method: 'POST',
    path: '/v1/responses',
    tier: 'key',
    dialect: 'openai',
    summary:
      "OpenAI's responses, answered by Claude. Nothing is stored: each request brings its conversation.",
    accepts: Responses,
    ...ANSWER,
    handle: async (call) => responses(call.deps, await received(call)),
  }),
  route({
    method: 'POST',
    path: '/v1/responses/compact',
    tier: 'key',
    dialect: 'openai',
    summary:
      'A conversation made short: what the user said, and a summary by Claude that later requests go on from.',
    accepts: Responses,
    reply: z.looseObject({}),
    handle: async (call) => compact(call.deps, await received(call)),
  }),
  route({
    method: 'POST',
    path: '/v1/responses/input_tokens',
    tier: 'key',
    dialect: 'openai',
    summary: 'How many input tokens a request for a response would have. Free: neither metered nor limited.',
    accepts: Responses,
    reply: z.looseObject({ object: z.literal('response.input_tokens'), input_tokens: z.int() }),
    handle: async (call) => inputTokens(call.deps, await received(call, false)),
  }),
  ...STORED.map(({ method, path }) =>
    route({
      method,
      path,
      tier: 'key',
      dialect: 'openai',
      summary: 'Always 404, because responses are not stored.',
      handle({ params }) {
        throw nothingStored(params.id)
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/v1/models',
    tier: 'key',
    dialect: 'anthropic',
    summary: 'The models that this key may use.',
    reply: ModelList,
    query: ModelPage,
    errors: [529],
    handle: ({ deps, caller, query }) => listModels(deps, caller, query),
  }),
  route({
    method: 'GET',
    path: '/v1/models/:id',
    tier: 'key',
    dialect: 'anthropic',
    summary: 'One model that this key may use.',
    reply: Model,
    errors: [529],
    handle: ({ deps, caller, params }) => findModel(deps, caller, params.id),
  }),
]

function received(call: RouteCall<string, 'key', undefined, undefined>, limited = true): Promise<Received> {
  const { deps, caller, headers, target, id } = call
  return call
    .read(deps.settings.limits.maxBodyBytes, limited)
    .then((body) => ({ id, caller, path: target, headers, body, signal: call.left() }))
}
