/** Serves calls of OpenAI's API: translates the request, forwards it like any other call and translates the answer. */

import { type Call, clientTimeout } from '../calls/call.ts'
import { clientOf, projectOf } from '../calls/client.ts'
import { ClientGone, type ForwardParts, forward } from '../calls/forward.ts'
import { inspecting } from '../calls/inspect.ts'
import { type AccessParts, assertAllowed, factsOf, type Received, unlessRefused } from '../calls/receive.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { abilitiesOf } from '../models/abilities.ts'
import type { Reply } from '../ports.ts'
import { inTurns } from '../steps.ts'
import { continued } from './continue.ts'
import { type MessagesRequest, requestText } from './messages-api.ts'
import { meantModel, type NativeCall, nativeCall } from './native-call.ts'
import { collected, type OpenAiAnswer, translated } from './reply/answer.ts'
import { createChatCollector, createChatStream } from './reply/chat-reply.ts'
import { hidingUsage } from './reply/hidden-usage.ts'
import { createResponsesCollector, createResponsesStream } from './reply/responses-reply.ts'
import type { Translated, TranslationContext } from './request/assemble.ts'
import { chatToMessages } from './request/chat-request.ts'
import { ChatRequest } from './request/chat-shape.ts'
import { bodyOf } from './request/read.ts'
import { parsedBody } from './request/refuse.ts'
import { responsesToMessages } from './request/responses-request.ts'
import { ResponsesRequest } from './request/responses-shape.ts'
import { asksForCompaction, summaryRequest } from './request/summary.ts'
import type { Collector, StreamTranslator } from './translator.ts'

const ENCODER = new TextEncoder()
const CLAUDE_VERSION = '2023-06-01'
const FAST_MODE: [string, string] = ['anthropic-beta', 'fast-mode-2026-02-01']
const MESSAGES_PATH = '/v1/messages'

/** What turns a request into a call. */
export type PrepareParts = AccessParts & Pick<Deps, 'abilities' | 'catalogue' | 'clock' | 'sha256'>
export type ServeParts = PrepareParts & ForwardParts

/** What differs between chat completions and responses. `created`: Unix seconds. */
export interface Interface {
  streamed: boolean
  model: string
  promptCacheKey: string | null | undefined
  translate(context: TranslationContext): Translated
  stream(created: number, translated: Translated): StreamTranslator
  collect(created: number, translated: Translated): Collector
}

/** POST /v1/chat/completions. Throws a Refusal, or ClientGone. */
export async function chatCompletions(deps: ServeParts, received: Received): Promise<Reply> {
  return serve(deps, received, chatIn, nativeCall(deps, received, true))
}

function chatIn(received: Received): Interface {
  const asked = parsedBody(ChatRequest, bodyOf(received.body))
  const { model } = asked
  const includeUsage = asked.stream_options?.include_usage === true
  const legacyFunctions = asked.functions != null
  const context = (created: number) => ({ model, created, includeUsage, legacyFunctions })
  return {
    streamed: asked.stream === true,
    model,
    promptCacheKey: asked.prompt_cache_key,
    translate: (around) => chatToMessages(asked, around),
    stream: (created) => createChatStream(context(created)),
    collect: (created) => createChatCollector(context(created)),
  }
}

/** POST /v1/responses. Throws a Refusal, or ClientGone. */
export async function responses(deps: ServeParts, received: Received): Promise<Reply> {
  return serve(deps, received, responseIn, nativeCall(deps, received, false))
}

function responseIn(received: Received): Interface {
  const asked = parsedBody(ResponsesRequest, bodyOf(received.body))
  const { model } = asked
  const packsThinking = asked.include?.includes('reasoning.encrypted_content') ?? false
  const tellsSources = asked.include?.includes('web_search_call.action.sources') ?? false
  const context = (created: number, { clientTools: tools }: Translated) => {
    return { model, created, packsThinking, tellsSources, tools, compacts, echo: echoOf(asked) }
  }
  const compacts = asksForCompaction(asked)
  const wanted = compacts ? summaryRequest(asked) : asked
  return {
    streamed: asked.stream === true,
    model,
    promptCacheKey: asked.prompt_cache_key,
    translate: (around) => responsesToMessages(wanted, around),
    stream: (created, translated) => createResponsesStream(context(created, translated)),
    collect: (created, translated) => createResponsesCollector(context(created, translated)),
  }
}

/**
 * A call of an interface from its translation to its answer. `read` may refuse it. `native`: the call for backends that take
 * it as it came, if any serves its model. Throws a Refusal, or ClientGone.
 */
export async function serve(
  deps: ServeParts,
  received: Received,
  read: (received: Received) => Interface,
  native: NativeCall | undefined,
): Promise<Reply> {
  function* prepare() {
    const spoken = read(received)
    yield
    return { spoken, ...(yield* prepared(deps, received, spoken, native)) }
  }
  const way = await unlessRefused(deps, received.body, () => inTurns(wayOf(native, prepare), deps.clock))
  if (!native) deps.wire.free(received.body)
  if ('native' in way) return shown(await forward(deps, way.native.call), way.native)
  const { spoken, call, translation } = way
  const { request, warnings, forcedTool } = translation
  const reply = await forward(deps, call)
  const created = Math.floor(call.createdAt / 1000)
  if (native && reply.native) return shown(reply, native)
  const { backend } = reply
  const goOn: OpenAiAnswer['goOn'] = (paused, times) =>
    continued(deps, { call, request, backend }, paused, times)
  const answer: OpenAiAnswer = {
    reply,
    warnings,
    signal: received.signal,
    clock: deps.clock,
    usedIds: callIdsOf(request),
    forcedTool,
    goOn: call.mayPause ? goOn : undefined,
  }
  if (spoken.streamed && reply.status === 200) {
    // What a paused message is continued with, or a native call, is as long as the body that came.
    const bodyFreed = reply.bodyFreed === true && !native && !call.mayPause
    return { ...translated(answer, spoken.stream(created, translation)), bodyFreed }
  }
  try {
    return await collected(answer, spoken.collect(created, translation))
  } catch (cause) {
    if (received.signal.aborted) throw new ClientGone()
    throw cause
  }
}

/** A native answer as the client asked for it. */
function shown(reply: Reply, { addsUsage }: NativeCall): Reply {
  return addsUsage ? hidingUsage(reply) : reply
}

/**
 * What `prepare` makes to translate the call, in steps, or the native one: where all backends take that, and where Claude's interface
 * cannot say what is asked. Throws what `prepare` throws.
 */
export function* wayOf<T extends object>(
  native: NativeCall | undefined,
  prepare: () => Generator<void, T>,
): Generator<void, T | { native: NativeCall }> {
  if (native && !native.mixed) return { native }
  try {
    return yield* prepare()
  } catch (thrown) {
    if (native && thrown instanceof Refusal) return { native }
    throw thrown
  }
}

/** The call to Claude for a request, and how it was translated, in steps. Throws a Refusal. */
export function* prepared(
  deps: PrepareParts,
  received: Received,
  spoken: Omit<Interface, 'stream' | 'collect'>,
  native: NativeCall | undefined,
) {
  const { clock, settings, prices, catalogue } = deps
  const { caller } = received
  const model = meantModel(settings, spoken.model)
  assertAllowed(deps, caller, model)
  const abilities = abilitiesOf(deps.abilities, prices.canonical(model), catalogue.known(model))
  const userId = deps.sha256(`${settings.auth.secrets[0]} ${caller.userId}`).slice(0, 32)
  const translation = spoken.translate({ model, abilities, userId, ...settings.openai })
  yield
  const text = requestText(translation.request)
  yield
  const body = ENCODER.encode(text)
  const inspected = yield* inspecting(body)
  const call: Call = {
    id: received.id,
    caller,
    path: MESSAGES_PATH,
    target: received.path,
    headers: [
      ['accept-encoding', 'identity'],
      ['content-type', 'application/json'],
      ['anthropic-version', CLAUDE_VERSION],
      ...(translation.request.speed ? [FAST_MODE] : []),
      ...received.headers.filter(([name]) => name === 'traceparent' || name === 'tracestate'),
    ],
    body,
    ...(native ? { native: { ...native.call.native, only: false } } : {}),
    requestedModel: spoken.model,
    model,
    stream: spoken.streamed,
    client: clientOf(received.headers),
    project: projectOf(received.headers),
    ...factsOf(inspected, { ...received, body }, spoken.promptCacheKey),
    streamsUpstream: translation.request.stream,
    mayPause: translation.request.tools?.some((tool) => 'type' in tool) ?? false,
    clientTimeoutMs: clientTimeout(received.headers),
    signal: received.signal,
    createdAt: clock.now(),
    startedAt: clock.elapsed(),
  }
  return { call, translation }
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
