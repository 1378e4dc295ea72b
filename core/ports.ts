/** What the core needs from outside. Each port has drivers in adapters/drivers and a contract suite in test/contracts. */
import type { BatchItem, BatchResponse } from 'drizzle-orm/batch'
import type { BaseSQLiteDatabase } from 'drizzle-orm/sqlite-core'
import type { Health } from './backends/health.ts'
import type * as schema from './db/schema.ts'
import type { TakeBytes } from './http/encodings.ts'
import type { Admission, Admitted, Counter, Denied } from './limits/admission.ts'
import type { Language, Message } from './notices/message.ts'
import type { CallRecord, SpentChange } from './record.ts'
import type { StopSignal } from './stop.ts'

export type { Compress, ContentEncoding, Decompress, TakeBytes } from './http/encodings.ts'
export type {
  Admission,
  Admitted,
  AmountLimit,
  Counter,
  Denied,
  Estimate,
  Limits,
  Owner,
  UsedShare,
} from './limits/admission.ts'
export type { CallRecord, Outcome, PeriodStarts } from './record.ts'

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
  /** The names of all backends, whenever they change; absent where `read` finds their records without them. */
  adopt?(backends: readonly string[]): void
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
  /** URL of the proxy that leads there, with its credentials; absent: none. Only where the runtime has sockets. */
  proxy?: string | undefined
  method: 'GET' | 'POST' | 'DELETE'
  /** Path and query, as sent. */
  path: string
  headers: HeaderPairs
  /**
   * Whole, or piece by piece as the upstream takes it: then it is asked for once, and what it throws ends the exchange.
   * Its length is that of content-length, where the headers have it.
   */
  body: Uint8Array | AsyncIterable<Uint8Array> | undefined
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

/** A mail to a person. */
export interface Mail {
  to: string
  /** The login code in it, if it is one with a code. */
  code?: string
  subject: string
  text: string
  html: string
}

/** Keeps what is removed from the database. */
export interface Archive {
  /** Stores lines of JSON under a name, in place of what it has already; resolves when they are on the disk. */
  write(name: string, lines: readonly string[]): Promise<void>
}

/** All addresses of a host. Rejects where nobody knows the name. */
export type HostLookup = (name: string) => Promise<readonly string[]>

/** Delivers mail: login codes and notices. */
export interface Mailer {
  /** False where nobody gets any mail, because codes are written to the log. */
  readonly delivers: boolean
  /** Resolves when the mail is accepted; otherwise rejects within 5 s. */
  send(mail: Mail): Promise<void>
}

/** A place that takes messages: a webhook or a group chat. */
export interface ChannelTarget {
  kind: 'webhook' | 'slack' | 'feishu' | 'dingtalk' | 'wecom'
  url: string
  /** Signs what is sent; undefined where the channel has none. */
  secret: string | undefined
  language: Language
}

/** Sends to channels. Its errors may be shown: they tell neither address nor secret. */
export interface Notifier {
  /** Resolves when the channel took the message; otherwise rejects within 15 s, with MessageRefused where that is for what it says. */
  send(target: ChannelTarget, message: Message): Promise<void>
  /** The same with events of the audit for a webhook, in their order. `id` is the same for every attempt. */
  sendAudit(target: ChannelTarget, id: string, events: readonly object[]): Promise<void>
}

/**
 * Posts bytes to a collector. Resolves with the status that it answered, which may be any; rejects within 5 s if none came, with an
 * error that tells neither address nor headers.
 */
export type SendTelemetry = (post: {
  url: string
  headers: Readonly<Record<string, string>>
  body: Uint8Array
}) => Promise<number>

/** Limits over concurrent calls and the record of each call, in one port because settling a call writes both. */
export interface Ledger {
  /** Admits a call and holds its estimate against every limit of its counters, atomically. */
  reserve(call: Admission): MaybePromise<Admitted>
  /**
   * The limit on calls at once or per minute that one more call would exceed, as far as this process knows. `reading` tells how
   * many calls that count against a counter are still arriving. Reserves nothing and asks no other process.
   */
  peek(counters: readonly Counter[], reading: (counter: Counter) => number): Denied | undefined
  /** The record to leave if this process dies from here on: usage is final, but the answer is still being sent. */
  update(record: CallRecord): void
  /** Records the call and frees its hold in one step. Idempotent by the call's id. */
  settle(record: CallRecord): MaybePromise<void>
  /** limit_spent was changed by this much beside the rows of calls: what is counted in memory follows. */
  respent(change: SpentChange): MaybePromise<void>
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
  /**
   * The body piece by piece, as fast as it is taken, for bodies that nobody keeps whole. Asked for once; rejects if the client
   * leaves before the end. Whoever stops early reads no more of it.
   */
  pieces(request: Request, bindings: unknown): AsyncIterable<Uint8Array>
  /** Gives the memory of a body back at once; nobody may read it afterwards. False where the runtime cannot, or not of this. */
  free(body: Uint8Array): boolean
  /** Aborts when the client leaves. */
  left(request: Request, bindings: unknown): StopSignal
  /** Turns a Reply into this runtime's Response. */
  respond(reply: Reply, bindings: unknown): Response
}
