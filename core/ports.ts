/** What the core asks of the outside world. Each port has drivers in adapters/drivers and one contract suite. */
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { Health } from './backends/health.ts'
import type { MadeObject } from './db/objects.ts'
import type * as schema from './db/schema.ts'
import type { PromptLoss } from './metering/prompt-losses.ts'
import type { StopSignal } from './stop.ts'

export type MaybePromise<T> = T | Promise<T>

/** A libSQL file, a libSQL server or D1. `batch` is the only transaction: D1 has no other and a libSQL file freezes on them. */
export type Db = BaseSQLiteDatabase<'async', unknown, typeof schema> & {
  batch<U extends BatchItem<'sqlite'>, T extends Readonly<[U, ...U[]]>>(queries: T): Promise<BatchResponse<T>>
}

export interface Clock {
  /** Wall time in ms since 1970. May jump: for dates and expiry only. */
  now(): number
  /** Milliseconds that never run backwards: for durations only. */
  elapsed(): number
  /** Runs `action` once after `ms`; the returned function calls it off. */
  after(ms: number, action: () => void): () => void
}

export type Fields = Record<string, string | number | boolean | null | undefined>
export interface Logger {
  debug(event: string, fields?: Fields): void
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
}

/** Lower-case names with their values, in order; a repeated header stands twice. Cheaper than Headers on every call. */
export type HeaderPairs = [name: string, value: string][]

/** Keeps health records. Dumb on purpose: the core decides what health means. */
export interface HealthStore {
  read(): Promise<ReadonlyMap<string, Health>>
  /** Replaces one record only if its revision still is that of `seen`. Answers whether this caller won. */
  swap(key: string, seen: Health | undefined, next: Health): Promise<boolean>
  /** Keeps where conversations went that left their backend; the last word on each holds. */
  move(moves: readonly Move[], now: number): Promise<void>
  /** Those that were written at or after `since` (ms since 1970) and may still matter. */
  movedSince(since: number): Promise<Move[]>
}

/** No cache lives for longer, so that no move matters for longer. */
export const MOVE_LIFE_MS = 65 * 60_000

/** A conversation of one person and the backend that it went to. */
export interface Move {
  person: number
  /** A hash of 53 bits. */
  conversation: number
  backend: string
  /** When its cache there is gone (ms since 1970); 0: it is back where it belongs. */
  idleUntil: number
}

/** Takes a body chunk by chunk. A returned promise is back-pressure; a rejection means the reader left. */
export interface Sink {
  write(chunk: Uint8Array): void | Promise<void>
  /** Aborts when the reader left, for sinks that hear of it before the next write. */
  left?: StopSignal
}

export interface UpstreamRequest {
  origin: string
  method: 'GET' | 'POST'
  /** Path with query, as it goes on the wire. */
  path: string
  headers: HeaderPairs
  body: Uint8Array | undefined
}

export interface UpstreamReply {
  status: number
  headers: HeaderPairs
  /** The first chunk, already read: until here nothing was promised to the client and failover is possible. */
  first: Uint8Array | undefined
  /**
   * Delivers `first` and then the rest; nothing is returned when the whole body was there and is delivered. Rejects if
   * the body was cut or the signal aborted. Called at most once.
   */
  pipe(sink: Sink): MaybePromise<void>
  /** Drops the rest of the answer and its connection. */
  cancel(): void
}

/** Carries bytes. Knows nothing of Claude, keys, failover or time limits: the core builds, times and cancels. */
export interface Upstream {
  /** Resolves at the first body byte (or the end of an empty body); rejects when no answer came or `signal` aborted. */
  send(request: UpstreamRequest, signal: StopSignal): Promise<UpstreamReply>
  close(): Promise<void>
}

/** What one caller may use. 0 means no limit. Tokens and micro-dollars are counted over `Settings.limits.period`. */
export interface Limits {
  quotaTokens: number
  budgetMicros: number
  requestsPerMinute: number
  concurrentRequests: number
}
type LimitName = 'quota' | 'budget' | 'requests_per_minute' | 'concurrency'

/** Tokens of all kinds and what they cost. */
export interface Estimate {
  tokens: number
  costMicros: number
}

/** A call that asks to be let in, with what is held against its limits until it is settled. */
export interface Admission {
  /** What the row says if this process dies before the call is settled: outcome `interrupted`, figures estimated. */
  begun: CallRecord
  user: Limits
  key: Limits
  /** The most that the call may use. */
  worst: Estimate
  /** Held instead while much is left of every limit; not more than `worst`. */
  usual: Estimate
}
export type Admitted =
  /** `used` is the larger share of quota and budget spent, 0..1, or undefined without either limit; times in ms. */
  | { ok: true; used: number | undefined; resetAt: number }
  /** `held`: the limit is not used up, only spoken for by calls under way. */
  | { ok: false; limit: LimitName; scope: 'user' | 'key'; held: boolean; resetAt: number }
  | { ok: false; limit: 'unavailable' }

export type Outcome = 'ok' | 'error' | 'client_aborted' | 'upstream_cut' | 'interrupted'

/** One finished call: becomes one row of usage_logs. Tokens as billed, money in micro-dollars, times in ms. */
export interface CallRecord {
  id: string
  userId: number
  keyId: number
  /** The model the client named, before model_replacements. */
  requestedModel: string
  /** The model that was checked, priced and sent. */
  model: string
  /** Name of the backend that answered or failed last; '' when none was reached. */
  backend: string
  inputTokens: number
  outputTokens: number
  cacheReadTokens: number
  cacheWrite5mTokens: number
  cacheWrite1hTokens: number
  costMicros: number
  statusCode: number
  outcome: Outcome
  /** The figures are (partly) the gateway's own estimate, because the upstream's final usage never came. */
  estimated: boolean
  /** The model had no price and was billed at the unknown tier. */
  unpriced: boolean
  stream: boolean
  /** How many backends were tried. */
  attempts: number
  latencyMs: number
  /** Time to the first byte of the body; null when none came. */
  ttftMs: number | null
  /** Other usage the upstream reported (server tools, iterations, speed …) as JSON text, kept raw; null when none. */
  extra: string | null
  createdAt: number
  /** What the answer told of its prompt's cache and thinking; nearly always nothing. */
  promptLosses: readonly PromptLoss[]
  /** What the answer made in the account of `backend`; it belongs to the user. None where it is left out. */
  madeObjects?: readonly MadeObject[]
}

/** A login code on its way to a person. */
export interface CodeMail {
  to: string
  code: string
  subject: string
  text: string
  html: string
}

/** Delivers login codes. */
export interface CodeSender {
  /** Resolves when the mail was taken over; rejects, after 5 s at the latest, when it was not. */
  send(mail: CodeMail): Promise<void>
}

/** Everything that must hold across concurrent calls, and the record of each call: reservation and record are one fact. */
export interface Ledger {
  /** Admits a call and holds its estimate against every limit of its user and key, atomically. */
  reserve(call: Admission): MaybePromise<Admitted>
  /**
   * The limit on calls at once or a minute that this process knows another call of this caller to exceed, beside
   * `reading` calls of user and key whose bodies are still coming. Takes nothing and asks nobody.
   */
  peek(
    caller: { userId: number; keyId: number; userLimits: Limits; keyLimits: Limits },
    reading: { user: number; key: number },
  ): Extract<Admitted, { scope: 'user' | 'key' }> | undefined
  /** Final figures are known while the answer still flows: a process that dies from here on leaves this record. */
  update(record: CallRecord): void
  /** Records the call and frees its hold in one step. Repeatable: the call id is the key. */
  settle(record: CallRecord): MaybePromise<void>
  /** False while calls can be admitted but not recorded or limited as they should be; told on /readyz. */
  healthy(): boolean
  /** Writes out all that is still held back. */
  close(): Promise<void>
}

/** An answer whose body is pushed, so that Node can write sockets and others Web Streams. */
export interface Reply {
  status: number
  headers: HeaderPairs
  /** Nothing is returned when all of it is delivered. */
  pipe(sink: Sink): MaybePromise<void>
}

/** The dashboard, where it was built. Both answer GET and HEAD; undefined where there is nothing. */
export interface Site {
  /** The file at the request's path. */
  file(request: Request): MaybePromise<Response | undefined>
  /** The page that stands at all of the dashboard's addresses. */
  page(request: Request): MaybePromise<Response | undefined>
}

/** Whether a piece of a body, of this many bytes, may be kept. */
export type TakeBytes = (bytes: number) => boolean

/** How requests and answers cross this runtime. `bindings` is what the runtime's server passed to fetch. */
export interface Wire {
  /** Names in lower case, by the runtime's cheapest way. */
  headers(request: Request, bindings: unknown): HeaderPairs
  /** The address at the other end of the connection: a client, or the proxy nearest to us. */
  peer(request: Request, bindings: unknown): string
  /**
   * The whole body. `take` hears the size of each piece before it is kept; once it says no nothing is kept any more, and
   * the answer is undefined. Rejects when the client left before its end.
   */
  body(request: Request, bindings: unknown, take: TakeBytes): Promise<Uint8Array | undefined>
  /** Aborts when the client leaves. */
  left(request: Request, bindings: unknown): StopSignal
  /** Turns a pushed reply into this runtime's response. */
  respond(reply: Reply, bindings: unknown): Response
}
