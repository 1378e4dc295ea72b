/** Serves calls of OpenAI's API: translates the request, forwards it like any other call and translates the answer. */

import { type Call, clientTimeout } from '../calls/call.ts'
import { ClientGone, forward } from '../calls/forward.ts'
import { inspect } from '../calls/inspect.ts'
import { assertAllowed, factsOf, type Received } from '../calls/receive.ts'
import type { Deps } from '../deps.ts'
import { invalidField } from '../errors.ts'
import { shapeOf } from '../json/depth.ts'
import { abilitiesOf } from '../models/abilities.ts'
import { replacementFor } from '../models/access.ts'
import type { Reply } from '../ports.ts'
import { continued } from './continue.ts'
import type { MessagesRequest } from './messages-api.ts'
import { collected, type OpenAiAnswer, translated } from './reply/answer.ts'
import { createChatCollector, createChatStream } from './reply/chat-reply.ts'
import { hidingUsage } from './reply/hidden-usage.ts'
import { createResponsesCollector, createResponsesStream } from './reply/responses-reply.ts'
import type { Translated, TranslationContext } from './request/assemble.ts'
import { chatToMessages } from './request/chat-request.ts'
import { ChatRequest } from './request/chat-shape.ts'
import { parsedBody } from './request/refuse.ts'
import { responsesToMessages } from './request/responses-request.ts'
import { ResponsesRequest } from './request/responses-shape.ts'
import type { Collector, StreamTranslator } from './translator.ts'

const ENCODER = new TextEncoder()
const CLAUDE_VERSION = '2023-06-01'
const MESSAGES_PATH = '/v1/messages'
/** Some clients name the vendor before the model. */
const VENDOR = /^anthropic\//

/** What differs between chat completions and responses. `created`: Unix seconds. */
export interface Interface {
  streamed: boolean
  model: string
  promptCacheKey: string | null | undefined
  translate(context: TranslationContext): Translated
  stream(created: number, translated: Translated): StreamTranslator
  collect(created: number, translated: Translated): Collector
  /** The body for backends that serve OpenAI's API; `addsUsage` if it asks for usage that the client did not ask for. */
  native(model: string): { body: Uint8Array; addsUsage: boolean }
}

/** POST /v1/chat/completions. Throws a Refusal, or ClientGone. */
export async function chatCompletions(deps: Deps, received: Received): Promise<Reply | Response> {
  const asked = parsedBody(ChatRequest, jsonOf(received.body))
  const { model } = asked
  const includeUsage = asked.stream_options?.include_usage === true
  const legacyFunctions = asked.functions != null
  const context = (created: number) => ({ model, created, includeUsage, legacyFunctions })
  return serve(deps, received, {
    streamed: asked.stream === true,
    model,
    promptCacheKey: asked.prompt_cache_key,
    translate: (around) => chatToMessages(asked, around),
    stream: (created) => createChatStream(context(created)),
    collect: (created) => createChatCollector(context(created)),
    native(sent) {
      const addsUsage = asked.stream === true && !includeUsage
      if (!addsUsage && sent === model) return { body: received.body, addsUsage }
      const options = addsUsage ? { stream_options: { ...asked.stream_options, include_usage: true } } : {}
      return { body: ENCODER.encode(JSON.stringify({ ...asked, model: sent, ...options })), addsUsage }
    },
  })
}

/** POST /v1/responses. Throws a Refusal, or ClientGone. */
export async function responses(deps: Deps, received: Received): Promise<Reply | Response> {
  const asked = parsedBody(ResponsesRequest, jsonOf(received.body))
  const { model } = asked
  const packsThinking = asked.include?.includes('reasoning.encrypted_content') ?? false
  const tellsSources = asked.include?.includes('web_search_call.action.sources') ?? false
  const context = (created: number, { clientTools: tools }: Translated) => {
    return { model, created, packsThinking, tellsSources, tools, echo: echoOf(asked) }
  }
  return serve(deps, received, {
    streamed: asked.stream === true,
    model,
    promptCacheKey: asked.prompt_cache_key,
    translate: (around) => responsesToMessages(asked, around),
    stream: (created, translated) => createResponsesStream(context(created, translated)),
    collect: (created, translated) => createResponsesCollector(context(created, translated)),
    native: nativeResponses(asked, received),
  })
}

export function nativeResponses(asked: ResponsesRequest, { body }: Received): Interface['native'] {
  return (model) => {
    if (model === asked.model) return { body, addsUsage: false }
    return { body: ENCODER.encode(JSON.stringify({ ...asked, model })), addsUsage: false }
  }
}

/** A call of an interface from its translation to its answer. Throws a Refusal, or ClientGone. */
export async function serve(deps: Deps, received: Received, spoken: Interface): Promise<Reply | Response> {
  const { call, translation, addsUsage } = prepared(deps, received, spoken)
  const { request, warnings, forcedTool } = translation
  const reply = await forward(deps, call)
  const created = Math.floor(call.createdAt / 1000)
  if (reply.native) return addsUsage && reply.status === 200 ? hidingUsage(reply) : reply
  const { backend } = reply
  const goOn: OpenAiAnswer['goOn'] = (paused, times) =>
    continued(deps, { call, request, backend }, paused, times)
  const pauses = request.tools?.some((tool) => 'type' in tool) ?? false
  const answer: OpenAiAnswer = {
    reply,
    warnings,
    signal: received.signal,
    usedIds: callIdsOf(request),
    forcedTool,
    goOn: pauses ? goOn : undefined,
  }
  if (spoken.streamed && reply.status === 200) return translated(answer, spoken.stream(created, translation))
  try {
    return await collected(answer, spoken.collect(created, translation))
  } catch (cause) {
    if (received.signal.aborted) throw new ClientGone()
    throw cause
  }
}

/** The call to Claude for a request, and how it was translated. Throws a Refusal. */
export function prepared(deps: Deps, received: Received, spoken: Omit<Interface, 'stream' | 'collect'>) {
  const { clock, settings, prices, catalogue } = deps
  const { caller } = received
  const model = replacementFor(settings, spoken.model.replace(VENDOR, ''))
  assertAllowed(deps, caller, model)
  const abilities = abilitiesOf(deps.abilities, prices.canonical(model), catalogue.known(model))
  const userId = deps.sha256(`${settings.auth.secrets[0]} ${caller.userId}`).slice(0, 32)
  const translation = spoken.translate({ model, abilities, userId, ...settings.openai })
  const native = spoken.native(model)
  const body = ENCODER.encode(JSON.stringify(translation.request))
  const call: Call = {
    id: received.id,
    caller,
    path: MESSAGES_PATH,
    headers: [
      ['accept-encoding', 'identity'],
      ['content-type', 'application/json'],
      ['anthropic-version', CLAUDE_VERSION],
      ...received.headers.filter(([name]) => name === 'traceparent' || name === 'tracestate'),
    ],
    body,
    native: { path: received.path, body: native.body },
    requestedModel: spoken.model,
    model,
    stream: spoken.streamed,
    ...factsOf(inspect(body), { ...received, body }, spoken.promptCacheKey),
    // The upstream always streams translated answers.
    streamsUpstream: true,
    clientTimeoutMs: clientTimeout(received.headers),
    signal: received.signal,
    createdAt: clock.now(),
    startedAt: clock.elapsed(),
  }
  return { call, translation, addsUsage: native.addsUsage }
}

export function jsonOf(body: Uint8Array): unknown {
  const shape = shapeOf(body)
  if (shape === 'too deep') throw invalidField('body', 'it is nested too deep')
  if (shape !== 'complete') throw invalidField('body', 'a JSON object is expected')
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body))
  } catch {
    throw invalidField('body', 'valid JSON is expected')
  }
}

/** Ids of the tool calls of the conversation so far. */
function callIdsOf({ messages }: MessagesRequest): string[] {
  const blocks = messages.flatMap(({ content }) => content)
  return blocks.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []))
}

/** The fields of the request that its response repeats. */
function echoOf(asked: ResponsesRequest): Record<string, unknown> {
  return {
    instructions: asked.instructions ?? null,
    max_output_tokens: asked.max_output_tokens ?? null,
    metadata: asked.metadata ?? {},
    parallel_tool_calls: asked.parallel_tool_calls ?? true,
    reasoning: { effort: asked.reasoning?.effort ?? null, summary: asked.reasoning?.summary ?? null },
    temperature: asked.temperature ?? 1,
    text: asked.text ?? { format: { type: 'text' } },
    tool_choice: asked.tool_choice ?? 'auto',
    tools: asked.tools ?? [],
    top_p: asked.top_p ?? 1,
  }
}
