/** From the bytes of a Messages request to a call: its model, who may use it, and what keeps its conversation together. */
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import type { Span } from '../json/scan.ts'
import { type Splice, spliced } from '../json/splice.ts'
import type { Caller } from '../keys/caller.ts'
import { accessOf, isAllowed, isFor, mayUseAll, replacementFor } from '../models/access.ts'
import { modelNameProblem } from '../models/name.ts'
import type { HeaderPairs, MaybePromise } from '../ports.ts'
import { inTurns } from '../steps.ts'
import type { StopSignal } from '../stop.ts'
import { type Call, clientTimeout, type RequestSize } from './call.ts'
import { clientOf, projectOf } from './client.ts'
import { type Conversation, conversationOf } from './conversation.ts'
import { fallbacksOf } from './fallback.ts'
import { assertFeatures } from './features.ts'
import { upstreamHeaders } from './forwarded-headers.ts'
import { type Inspected, inspecting } from './inspect.ts'
import { DEFAULT_USES, type NamedModel } from './named.ts'

/** What decides who may use which model. */
export type AccessParts = Pick<Deps, 'settings' | 'prices'>

export interface Received {
  id: string
  caller: Caller
  path: string
  /** All headers as they came, names in lower case. */
  headers: HeaderPairs
  body: Uint8Array
  signal: StopSignal
}

type ReceiveParts = AccessParts & Pick<Deps, 'clock' | 'objects' | 'wire'>

/**
 * Throws a Refusal, or rejects with one: body_invalid or model_not_allowed. A promise only where objects are named that have to be
 * looked up, or where reading the body takes so long that others have their turn meanwhile.
 */
export function receive(deps: ReceiveParts, received: Received): MaybePromise<Call> {
  return unlessRefused(deps, received.body, () => {
    const found = inTurns(inspecting(received.body), deps.clock)
    return found instanceof Promise
      ? found.then((inspected) => callOf(deps, received, inspected))
      : callOf(deps, received, found)
  })
}

/**
 * What `read` returns. If it throws or rejects, nobody gets this body: its memory is given back at once, because whoever sends one after the
 * other that is refused would otherwise take what is meant for everybody.
 */
export function unlessRefused<T>({ wire }: Pick<Deps, 'wire'>, body: Uint8Array, read: () => T): T {
  try {
    const answer = read()
    if (answer instanceof Promise) answer.catch(() => wire.free(body))
    return answer
  } catch (thrown) {
    wire.free(body)
    throw thrown
  }
}

function callOf(deps: ReceiveParts, received: Received, inspected: Inspected): MaybePromise<Call> {
  const { clock, settings } = deps
  const { body, headers } = received
  const caller = bookedCaller(deps, received.caller, inspected.tags)
  assertFeatures(settings.messages, inspected, headers)
  const model = replacementFor(settings, inspected.model)
  assertAllowed(deps, caller, model)
  const changed = [
    ...(model === inspected.model ? [] : renamed(inspected.modelSpans, model)),
    ...nestedReplacements(deps, caller, inspected.named.models),
  ]
  const facts = factsOf(inspected, received)
  const fallbacks = fallbacksOf(deps, caller, model)
  const call: Call = {
    id: received.id,
    caller,
    path: received.path,
    headers: upstreamHeaders(headers),
    body: spliced(body, changed),
    requestedModel: inspected.model,
    model,
    stream: inspected.stream,
    client: clientOf(headers),
    project: projectOf(headers),
    ...facts,
    // What is reserved suffices for the dearest of them.
    ...(fallbacks.length > 0 ? { fallbacks, otherModels: [...facts.otherModels, ...fallbacks] } : {}),
    clientTimeoutMs: clientTimeout(headers),
    signal: received.signal,
    createdAt: clock.now(),
    startedAt: clock.elapsed(),
  }
  if (call.body !== body) deps.wire.free(body)
  const { objects } = inspected.named
  if (objects.size === 0) return call
  const binding = deps.objects.bind(caller.userId, [...objects.values()])
  return binding instanceof Promise
    ? binding.then((found) => ({ ...call, ...found }))
    : { ...call, ...binding }
}

/** The caller as booked to the group that the request's tag names, if they are in it. */
function bookedCaller(
  { settings, clock }: Pick<Deps, 'settings' | 'clock'>,
  caller: Caller,
  tags: string | undefined,
): Caller {
  const { billingTag } = settings.claudeCode
  const group = billingTag === undefined ? undefined : tagIn(tags, billingTag)
  return group === undefined ? caller : (caller.billedTo(group, clock.now()) ?? caller)
}

/** The value of a request's tag; undefined where it has none of this name. */
function tagIn(tags: string | undefined, name: string): string | undefined {
  const given = tags === undefined ? undefined : parsedJson(tags)
  const value = isRecord(given) ? given[name] : undefined
  return typeof value === 'string' ? value : undefined
}

/** The same model at each of these places. */
export function renamed(places: readonly Span[], model: string): Splice[] {
  return places.map(({ start, end }) => ({ start, end, text: JSON.stringify(model) }))
}

/** Models that the request names besides its own obey the same rules. Answers those to be replaced. Throws a Refusal. */
export function nestedReplacements(
  deps: AccessParts,
  caller: Caller,
  models: readonly NamedModel[],
): Splice[] {
  return models.flatMap(({ name, path, start, end }) => {
    if (path === 'fallbacks' && name === 'default') {
      if (mayUseAll(deps.settings, caller.models)) return []
      throw new Refusal('model_not_allowed', `${path}: name the models, as you may not use every model here.`)
    }
    const problem = modelNameProblem(name)
    if (problem !== undefined) throw new Refusal('body_invalid', `${path}: ${problem}`)
    const model = replacementFor(deps.settings, name)
    assertAllowed(deps, caller, model, `${path}: `)
    return model === name ? [] : renamed([{ start, end }], model)
  })
}

type Facts = RequestSize & Pick<Call, 'conversation' | 'boundTo' | 'makes' | 'uses'>

/** What limits and backend selection have to know of a request. `promptCacheKey` is OpenAI's. */
export function factsOf(
  { maxTokens, named, metadata, messages }: Inspected,
  { caller, headers, body }: Pick<Received, 'caller' | 'headers' | 'body'>,
  promptCacheKey?: string | null,
): Facts {
  const { contentByReference, serverTools, mcpServers, longCache, fast, geoUs, present } = named
  if (fast) named.uses.set('fast', 'speed')
  const webSearches = sumOf(serverTools.filter(({ type }) => type.startsWith('web_search')))
  const conversation: Conversation | undefined = conversationOf({
    userId: caller.userId,
    headers,
    metadata,
    body,
    messages,
    longCache,
    promptCacheKey,
  })
  return {
    maxTokens,
    namesContentByReference: contentByReference,
    serverToolUses: sumOf(serverTools) + DEFAULT_USES * mcpServers.length,
    webSearches,
    fast,
    geoUs,
    longCache,
    otherModels: named.models.map(({ name }) => name),
    conversation,
    boundTo: undefined,
    ...(named.uses.size > 0 ? { uses: named.uses } : {}),
    makes: makesOf(serverTools.length > 0, present),
  }
}

/** What the answer may make; undefined for most requests, whose answers are then not looked into. */
function makesOf(usesServerTools: boolean, present: ReadonlySet<string>): Call['makes'] {
  const thread = present.has('thread')
  const message = thread || present.has('diagnostics')
  return usesServerTools || message || present.has('container') ? { thread, message } : undefined
}

function sumOf(tools: readonly { maxUses: number }[]): number {
  return tools.reduce((sum, { maxUses }) => sum + maxUses, 0)
}

/** Throws a Refusal model_not_allowed, whose message begins with `where` it is named. */
export function assertAllowed({ settings, prices }: AccessParts, caller: Caller, model: string, where = '') {
  const canonical = prices.canonical(model)
  const { models } = caller
  if (!isFor(models, model, canonical)) {
    const what = models.available ? 'Your settings of Claude Code do not have' : 'This API key is not for'
    throw new Refusal('model_not_allowed', `${where}${what} the model ${model}.`)
  }
  const access = accessOf(settings, models, model, canonical)
  if (isAllowed(access, caller.grants, model, canonical)) return
  if (access === 'closed') {
    throw new Refusal('model_not_allowed', `${where}The model ${model} is not offered here.`)
  }
  const page = settings.publicUrl ? ` at ${settings.publicUrl}/models` : ' in the dashboard'
  throw new Refusal('model_not_allowed', `${where}The model ${model} needs approval. Apply for it${page}.`)
}
