/** What the core needs from outside. Each port has drivers in adapters/drivers and a contract suite in test/contracts. */
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { Health } from './backends/health.ts'
import type * as schema from './db/schema.ts'
import type { CallRecord } from './record.ts'
import type { StopSignal } from './stop.ts'

export type { CallRecord, Outcome } from './record.ts'

export type MaybePromise<T> = T | Promise<T>

/** A libSQL file, a libSQL server or D1. Use only `batch` for transactions: D1 has no others and they block a libSQL file. */
export type Db = BaseSQLiteDatabase<'async', unknown, typeof schema> & {
  batch<U extends BatchItem<'sqlite'>, T extends Readonly<[U, ...U[]]>>(queries: T): Promise<BatchResponse<T>>
}

export interface Clock {
  /** Wall time in ms since 1970. It may jump, so it is for dates and expiry only. */
  now(): number
  /** Milliseconds that never run backwards: for durations only. */
  elapsed(): number
  /** Runs `action` once after `ms`; the returned function cancels it. */
  after(ms: number, action: () => void): () => void
}

export type Fields = Record<string, string | number | boolean | null | undefined>
export interface Logger {
  debug(event: string, fields?: Fields): void
  info(event: string, fields?: Fields): void
  warn(event: string, fields?: Fields): void
  error(event: string, fields?: Fields): void
}

/** Headers in order, names in lower case; a repeated header has several pairs. Cheaper than a Headers object per call. */
export type HeaderPairs = [name: string, value: string][]

/** Stores health records without reading them: the core decides what they mean. */
export interface HealthStore {
  read(): Promise<ReadonlyMap<string, Health>>
  /** Compare and swap: replaces the record if its revision is still that of `seen`. Returns whether it did. */
  swap(key: string, seen: Health | undefined, next: Health): Promise<boolean>
  /** Stores to which backends conversations moved; a later move of a conversation replaces an earlier one. */
  move(moves: readonly Move[], now: number): Promise<void>
  /** Moves written at or after `since` (ms since 1970). Those older than MOVE_LIFE_MS may be missing. */
  movedSince(since: number): Promise<Move[]>
}

/**
 * Older moves do not matter, because a prompt cache lives for an hour at most:
 * https://platform.claude.com/docs/en/build-with-claude/prompt-caching
 */
export const MOVE_LIFE_MS = 65 * 60_000

/** A conversation of one user that left its backend, and the backend it went to. */
export interface Move {
  person: number
  /** A hash of 53 bits. */
  conversation: number
  backend: string
  /** When its prompt cache there expires (ms since 1970); 0 when it is back on its own backend. */
  idleUntil: number
}

/** Takes a body chunk by chunk. The writer waits for a returned promise; a rejection means that the reader left. */
export interface Sink {
  write(chunk: Uint8Array): void | Promise<void>
  /** Aborts when the reader leaves, where the sink notices before the next write. */
  left?: StopSignal
}

export interface UpstreamRequest {
  origin: string
  method: 'GET' | 'POST'
  /** Path and query, as sent. */
  path: string
  headers: HeaderPairs
  body: Uint8Array | undefined
}

export interface UpstreamReply {
  status: number
  headers: HeaderPairs
  /** The first chunk, read already: the client has nothing yet, so that failover is still possible. */
  first: Uint8Array | undefined
  /**
   * Writes `first` and the rest to `sink`. Returns no promise if the whole body was there already. Rejects if the body
   * breaks off or the signal aborts. Called at most once.
   */
  pipe(sink: Sink): MaybePromise<void>
  /** Discards the rest of the answer and closes its connection. */
  cancel(): void
  /**
   * Whether the whole request has left this process, so that the memory of its body may be given back. Absent where the
   * driver cannot tell.
   */
  sent?(): boolean
}

/** Sends requests. It knows nothing of Claude, keys, failover or time limits: the core builds, times and cancels. */
export interface Upstream {
  /** Resolves at the first byte of the body or at its end. Rejects if no answer comes or `signal` aborts. */
  send(request: UpstreamRequest, signal: StopSignal): Promise<UpstreamReply>
  close(): Promise<void>
}

/** What one user or key may use; 0 means no limit. Quota and budget hold for each `Settings.limits.period`. */
export interface Limits {
  quotaTokens: number
  budgetMicros: number
  requestsPerMinute: number
  concurrentRequests: number
}
type LimitName = 'quota' | 'budget' | 'requests_per_minute' | 'concurrency'

/** Tokens of all kinds together and what they cost in micro-dollars. */
export interface Estimate {
  tokens: number
  costMicros: number
}

/** Who or what a limit is of. Ids are those of users and keys. */
export interface Scope {
  scope: 'user' | 'key'
  id: number
}
/** What a call counts against: its limits, and whose they are. */
export interface Counter extends Scope {
  limits: Limits
}

/** A call that asks for admission, with what is held against its limits until it is settled. */
export interface Admission {
  /** The row to write if this process dies before the call is settled: outcome `interrupted`, figures estimated. */
  begun: CallRecord
  /** All of them admit the call, or none holds anything for it. */
  counters: readonly Counter[]
  /** The most that the call can use; held when a limit is nearly used up. */
  worst: Estimate
  /** Held instead of `worst` while much of every limit is left; never more than `worst`. */
  usual: Estimate
}
export type Admitted =
  /** `used`: the larger share spent (0..1) of quota and budget, undefined without both. `resetAt`: ms since 1970. */
  | { ok: true; used: number | undefined; resetAt: number }
  /** `held`: the limit is not used up, but calls under way hold what is left of it. */
  | { ok: false; limit: LimitName; scope: Scope['scope']; held: boolean; resetAt: number }
  | { ok: false; limit: 'unavailable' }

/** A login code on its way to a person. */
export interface CodeMail {
  to: string
  code: string
  subject: string
  text: string
  html: string
}

/** Keeps what is removed from the database. */
export interface Archive {
  /** Stores lines of JSON under a name, in place of what it has already; resolves when they are on the disk. */
  write(name: string, lines: readonly string[]): Promise<void>
}

/** Delivers login codes. */
export interface CodeSender {
  /** Resolves when the mail is accepted; otherwise rejects within 5 s. */
  send(mail: CodeMail): Promise<void>
}

/** Limits over concurrent calls and the record of each call, in one port because settling a call writes both. */
export interface Ledger {
  /** Admits a call and holds its estimate against every limit of its user and key, atomically. */
  reserve(call: Admission): MaybePromise<Admitted>
  /**
   * The limit on calls at once or per minute that one more call would exceed, as far as this process knows. `reading` tells how
   * many calls that count against a counter are still arriving. Reserves nothing and asks no other process.
   */
  peek(
    counters: readonly Counter[],
    reading: (counter: Counter) => number,
  ): Extract<Admitted, { scope: Scope['scope'] }> | undefined
  /** The record to leave if this process dies from here on: usage is final, but the answer is still being sent. */
  update(record: CallRecord): void
  /** Records the call and frees its hold in one step. Idempotent by the call's id. */
  settle(record: CallRecord): MaybePromise<void>
  /** Writes the rows of calls whose processes died without a trace, and frees what they held. */
  sweep(): Promise<void>
  /** False while calls can be admitted but not recorded or limited properly; /readyz fails then. */
  healthy(): boolean
  /** Records that wait in memory for the database, and the size of the journal in bytes. */
  waiting(): { records: number; journalBytes: number }
  /** Writes all records that are still buffered. */
  close(): Promise<void>
}

/** An answer that writes its body to a sink, because Node has sockets where other runtimes have Web Streams. */
export interface Reply {
  status: number
  headers: HeaderPairs
  /** The body of the request is no longer in memory. */
  bodyFreed?: boolean
  /** Returns no promise if the whole body is written at once. */
  pipe(sink: Sink): MaybePromise<void>
}

/** The built dashboard. Both methods take GET and HEAD and return undefined where there is nothing. */
export interface Site {
  /** The file at the request's path. */
  file(request: Request): MaybePromise<Response | undefined>
  /** The page that is served at every address of the dashboard. */
  page(request: Request): MaybePromise<Response | undefined>
}

/** Whether the next piece of a body, `bytes` long, may be kept. */
export type TakeBytes = (bytes: number) => boolean

/** Encodings in which request bodies may come: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1 and RFC 9659 (zstd). */
export type ContentEncoding = 'zstd' | 'gzip' | 'br' | 'deflate'

/**
 * Undoes a content-encoding without keeping others waiting. `take` is called with the size of each piece before it is kept;
 * once it returns false the result is undefined. Rejects if `body` is damaged or incomplete.
 */
export type Decompress = (
  encoding: ContentEncoding,
  body: Uint8Array,
  take: TakeBytes,
) => Promise<Uint8Array | undefined>

/** How this runtime hands over requests and responses. `bindings` is what its server passed to fetch. */
export interface Wire {
  /** The request's headers, read in the runtime's cheapest way. */
  headers(request: Request, bindings: unknown): HeaderPairs
  /** The IP address at the other end of the connection: the client's or the nearest proxy's. */
  peer(request: Request, bindings: unknown): string
  /**
   * The whole body. `take` is called with the size of each piece before it is kept; once it returns false nothing more is
   * kept and the result is undefined. Rejects if the client leaves before the end.
   */
  body(request: Request, bindings: unknown, take: TakeBytes): Promise<Uint8Array | undefined>
  /** Gives the memory of a body back at once; nobody may read it afterwards. False where the runtime cannot, or not of this. */
  free(body: Uint8Array): boolean
  /** Aborts when the client leaves. */
  left(request: Request, bindings: unknown): StopSignal
  /** Turns a Reply into this runtime's Response. */
  respond(reply: Reply, bindings: unknown): Response
}
