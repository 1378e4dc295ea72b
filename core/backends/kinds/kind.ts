/** What a kind of backend has to tell. Every kind is pure: it changes requests and reads answers, and sends nothing itself. */
import type { Verdict } from '../../calls/verdict.ts'
import type { Clock, HeaderPairs, MaybePromise, UpstreamReply, UpstreamRequest } from '../../ports.ts'
import type { Backend } from '../../settings.ts'
import type { Ability } from './ability.ts'

/** A request in the words of Anthropic's API, before it is addressed to a backend. */
export interface Outgoing {
  method: 'GET' | 'POST' | 'DELETE'
  /** Path with query, such as /v1/messages?beta=true. */
  path: string
  /** Without a credential. */
  headers: HeaderPairs
  body: Uint8Array | undefined
  /** The model of the call; undefined for what names none. */
  model: string | undefined
  stream: boolean
  /** It is in OpenAI's interface, which the backend speaks itself. */
  openAi: boolean
}

/** The request as the backend takes it, but for the credential. */
export interface Addressed extends UpstreamRequest {
  body: Uint8Array | undefined
  /** Paths of what was left out, because the answer stays the same without it; told to the client in x-gateway-warning. */
  leftOut?: readonly string[]
}

export interface JudgedAnswer {
  status: number
  headers: HeaderPairs
  /** The first chunk of a success, the whole body of an error; undefined for none. */
  body: Uint8Array | undefined
  /** Ms since 1970. */
  now: number
}

/** An error, whole. */
export type ErrorAnswer = Pick<JudgedAnswer, 'status' | 'headers' | 'body'>

export interface Kind {
  /**
   * How a request is addressed. Bytes and headers that need no change are those of `outgoing` itself, not copies; the body is
   * changed by splicing.
   */
  addressed(backend: Backend, outgoing: Outgoing): Addressed
  /** The header in which an API key goes. */
  keyHeader(key: string, outgoing: Outgoing): [name: string, value: string]
  /**
   * The answer as Anthropic's; absent where it is that already. Whatever it makes of a stream keeps back-pressure: it waits for
   * what the sink's `write` returns. Rejects as `Upstream.send`.
   */
  answered?(reply: UpstreamReply, outgoing: Outgoing, parts: { clock: Clock }): MaybePromise<UpstreamReply>
  /**
   * An error in Anthropic's envelope, as a client may see it; absent where it comes so. Status and headers may change too: a new
   * body has a new content-length, or none.
   */
  errorOf?(error: ErrorAnswer): ErrorAnswer
  /** What an answer means. An error is judged as it came, a success after `answered`. */
  verdictOf(answer: JudgedAnswer): Verdict
  /**
   * The request that proves address and credential and costs nothing, made of `GET /v1/models`, and whether its answer is Anthropic's
   * list of models.
   * Absent: the first real call shows both. Without a list, `models` of the configuration say what is offered.
   */
  check?: { lists: boolean; request(backend: Backend, outgoing: Outgoing): Addressed }
  /** What it cannot do. */
  lacks: ReadonlySet<Ability>
  /** The most bytes of a request's body; undefined for as many as the gateway itself takes. */
  mostBytes?: number
}
