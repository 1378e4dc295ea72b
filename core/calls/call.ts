/** A call on its way: what the edge found out about it, before any backend is chosen. */
import type { Uses } from '../backends/kinds/ability.ts'
import { headerOf } from '../http/headers.ts'
import type { Caller } from '../keys/caller.ts'
import type { HeaderPairs } from '../ports.ts'
import type { StopSignal } from '../stop.ts'
import type { Conversation } from './conversation.ts'

/** What a reservation has to know of a request beside its bytes. */
export interface RequestSize {
  /**
   * The most output tokens that any part of the request asks for. Undefined: as many as the model gives, which is also
   * how a max_tokens counts that is missing, repeated or no positive integer.
   */
  maxTokens: number | undefined
  /** Content is named by URL, file, container or thread: the number of bytes tells nothing of it. */
  namesContentByReference: boolean
  /** How often the upstream may use tools that it runs itself: the sum of max_uses, 10 for each that does not say. */
  serverToolUses: number
  /** Those of them that are web searches, which cost extra. */
  webSearches: number
  /** Some part is asked for at fast speed. */
  fast: boolean
  /** It is to be answered in the US, which costs more. */
  geoUs: boolean
  /** A cache is asked for that lives an hour, which costs more to write. */
  longCache: boolean
  /** Models that parts of it may go to, beside the call's own. */
  otherModels: readonly string[]
}

export interface Call extends RequestSize {
  /** The request id. */
  id: string
  caller: Caller
  /** Path with query, as it goes upstream. */
  path: string
  /** Path with query as the caller sent it, where it goes upstream as another. */
  target?: string
  headers: HeaderPairs
  body: Uint8Array
  /**
   * The same call in OpenAI's interface, for backends that speak it themselves. `only`: it goes to no others, because
   * Claude's interface cannot say it.
   */
  native?: { path: string; headers: HeaderPairs; body: Uint8Array; only: boolean }
  /** The program that sent it, and the project that it named ('' = none): core/calls/client.ts. */
  client: string
  project: string
  /** As the client named it, and as it is sent. */
  requestedModel: string
  model: string
  /** Models that it may be sent to instead where no backend can serve its own. */
  fallbacks?: readonly string[]
  stream: boolean
  /** Undefined when nothing in the request tells which conversation it belongs to. */
  conversation: Conversation | undefined
  /** The backend whose account holds what the request names: the call goes nowhere else. */
  boundTo: string | undefined
  /** The backend that it goes to while that one is usable, because an earlier message of it is known there. */
  steersTo?: string | undefined
  /** What its answer may make in the account that gives it; undefined for nothing. */
  makes: { thread: boolean; message: boolean } | undefined
  /** It only counts tokens: neither metered nor limited, and its answer says nothing about messages. */
  countsTokens?: boolean
  /** Another call may go on with its answer, so that it is settled before its last byte leaves. */
  mayPause?: boolean
  /** Of a translated call: whether its answer is streamed to us; if not, although it could be, because it is short. */
  streamsUpstream?: boolean
  /** What it asks for that some kinds of backends cannot do; undefined for most calls, which ask for nothing of it. */
  uses?: Uses | undefined
  /** How long the client waits, as it says itself (ms). */
  clientTimeoutMs?: number | undefined
  /** Aborts when the client leaves. */
  signal: StopSignal
  /** Wall time of arrival (ms). */
  createdAt: number
  /** The same moment on the clock that never runs backwards. */
  startedAt: number
}

const LONGEST_TIMEOUT_S = 3_600

/**
 * How long the client waits for its answer, in ms. Anthropic's and OpenAI's SDKs tell it in seconds
 * (https://github.com/anthropics/anthropic-sdk-typescript/blob/main/src/client.ts); undefined for all others.
 */
export function clientTimeout(headers: HeaderPairs): number | undefined {
  const seconds = Number(headerOf(headers, 'x-stainless-timeout'))
  return seconds >= 1 && seconds <= LONGEST_TIMEOUT_S ? seconds * 1000 : undefined
}
