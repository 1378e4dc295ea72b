/** A call in OpenAI's interface for backends that speak it themselves: it goes to them as it came. */
import { canServe } from '../backends/choosing.ts'
import { type Call, clientTimeout } from '../calls/call.ts'
import { clientOf, projectOf } from '../calls/client.ts'
import { conversationOf } from '../calls/conversation.ts'
import { assertFeatures } from '../calls/features.ts'
import { upstreamHeaders } from '../calls/forwarded-headers.ts'
import {
  type AccessParts,
  assertAllowed,
  nestedReplacements,
  type Received,
  renamed,
} from '../calls/receive.ts'
import type { Deps } from '../deps.ts'
import { spliced } from '../json/splice.ts'
import { abilitiesOf } from '../models/abilities.ts'
import { replacementFor } from '../models/access.ts'
import type { HeaderPairs } from '../ports.ts'
import { inspectNative, type NativeRequest } from './native-request.ts'

/** Some clients name the vendor before the model. */
const VENDOR = /^anthropic\//

export interface NativeCall {
  call: Call & Required<Pick<Call, 'native'>>
  /** Only the gateway asked for the usage that ends the stream. */
  addsUsage: boolean
  /** Backends that speak Claude's interface alone serve the model as well. */
  mixed: boolean
}

type Parts = AccessParts & Pick<Deps, 'abilities' | 'catalogue' | 'clock'>

/** The model that a client's name means, without a vendor before it and after replacement. */
export function meantModel(settings: Deps['settings'], named: string): string {
  return replacementFor(settings, named.replace(VENDOR, ''))
}

/**
 * Undefined where no backend of the model speaks OpenAI's interface. `chats`: chat completions rather than responses.
 * Throws a Refusal: body_invalid or model_not_allowed.
 */
export function nativeCall(deps: Parts, received: Received, chats: boolean): NativeCall | undefined {
  const { clock, settings } = deps
  if (!settings.backends.some(({ speaksOpenAi }) => speaksOpenAi)) return undefined
  const { id, caller, path, headers, signal } = received
  const request = inspectNative(received.body, chats)
  const model = meantModel(settings, request.model)
  const serving = settings.backends.filter((backend) => canServe(backend, model))
  if (!serving.some(({ speaksOpenAi }) => speaksOpenAi)) return undefined
  assertAllowed(deps, caller, model)
  assertFeatures(settings.messages, { betas: [], named: request }, [])
  const body = bodyFor(deps, received, request, model)
  const call: NativeCall['call'] = {
    id,
    caller,
    path,
    headers,
    body,
    native: { path, headers: nativeHeaders(headers), body, only: true },
    requestedModel: request.model,
    model,
    stream: request.stream,
    client: clientOf(headers),
    project: projectOf(headers),
    ...factsOf(deps, received, request, model),
    clientTimeoutMs: clientTimeout(headers),
    signal,
    createdAt: clock.now(),
    startedAt: clock.elapsed(),
  }
  const mixed = serving.some(({ speaksOpenAi }) => !speaksOpenAi)
  return { call, addsUsage: request.usageSplice !== undefined, mixed }
}

/** The caller's bytes; a model is another one only where a replacement says so. */
function bodyFor(deps: Parts, { body, caller }: Received, request: NativeRequest, model: string): Uint8Array {
  const isReplaced = model !== request.model.replace(VENDOR, '')
  return spliced(body, [
    ...(isReplaced ? renamed(request.modelSpans, model) : []),
    ...nestedReplacements(deps, caller, request.models),
    ...(request.usageSplice ? [request.usageSplice] : []),
  ])
}

/** What limits and the choice of a backend have to know. */
function factsOf(
  { abilities, prices, catalogue }: Parts,
  { body, caller, headers }: Received,
  request: NativeRequest,
  model: string,
) {
  const { answers, serverTools } = request
  const { maxOutput } = abilitiesOf(abilities, prices.canonical(model), catalogue.known(model))
  const most = request.maxTokens ?? (answers > 1 ? maxOutput : undefined)
  const uses = (tools: readonly { maxUses: number }[]) => tools.reduce((sum, { maxUses }) => sum + maxUses, 0)
  return {
    maxTokens: most === undefined ? undefined : most * answers,
    namesContentByReference: request.contentByReference,
    serverToolUses: uses(serverTools),
    webSearches: uses(serverTools.filter(({ type }) => type.startsWith('web_search'))),
    fast: false,
    geoUs: false,
    longCache: false,
    otherModels: request.models.map(({ name }) => name),
    conversation: conversationOf({
      userId: caller.userId,
      headers,
      metadata: request.metadata,
      body,
      messages: request.messages,
      longCache: false,
      promptCacheKey: request.promptCacheKey,
    }),
    boundTo: undefined,
    makes: undefined,
  }
}

/** The body is JSON whatever the client calls it, and the version is a header of Claude's interface. */
function nativeHeaders(headers: HeaderPairs): HeaderPairs {
  const kept = upstreamHeaders(headers).filter(
    ([name]) => name !== 'content-type' && name !== 'anthropic-version',
  )
  const betas = headers.filter(([name]) => name === 'openai-beta')
  return [...kept, ['content-type', 'application/json'], ...betas]
}
