/**
 * Which conversation a call belongs to, so that it stays on one backend, where its prompt caches and thinking blocks live.
 * The first of these that is there tells it: Claude Code's session, metadata.user_id with a session in it, OpenAI's
 * prompt_cache_key, metadata.user_id with the first user text, that text alone. Always within one user, so that nobody
 * can steer somebody else's conversation.
 */
import { headerOf } from '../http/headers.ts'
import { elementsOf } from '../json/elements.ts'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import type { Span } from '../json/scan.ts'
import { QUOTE, stringFrom } from '../json/tokens.ts'
import { keysToFind, membersOf, scalarAt, walkObjects } from '../json/walk.ts'
import type { HeaderPairs } from '../ports.ts'

export interface Conversation {
  /** The user's id and a hash, so that nothing of the conversation's text is kept. */
  id: string
  /** The same hash without the user's id, where the client named a session and not only its text tells it. */
  session?: string
  /** How long its cache lives after each call (ms). */
  cacheLifeMs: number
}

const CACHE_LIFE_MS = 5 * 60_000
const LONG_CACHE_LIFE_MS = 60 * 60_000
const DECODER = new TextDecoder()
/** How many messages are searched for the first one of the user, because others may stand before it. */
const MESSAGES_LOOKED_AT = 16
/** Bytes and strings that may stand outside of strings in a message or a part that is looked into. */
const MOST_STEPS = 100_000
/** Of a long text, this many characters of each end are hashed; its length too. */
const SAMPLE = 4096
/** A text of more bytes is hashed as it is written. Nobody else is served while one is decoded. */
const MOST_DECODED = 256 * 1024
/** Parts of the first message that are looked at: those that follow hardly tell conversations apart. */
const MOST_PARTS = 100
const MESSAGE = keysToFind(['role', 'content'], [])
const BLOCK = keysToFind(['text', 'source', 'data', 'url', 'file_id', 'content'], ['input'])
/** As earlier versions of Claude Code wrote it. */
const OLD_SESSION = /_session_[\w-]+$/

export interface Identified {
  userId: number
  headers: HeaderPairs
  /** metadata as it was written. */
  metadata: string | undefined
  body: Uint8Array
  messages: Span | undefined
  longCache: boolean
  /** OpenAI's prompt_cache_key. */
  promptCacheKey?: string | null | undefined
}

/** Undefined when nothing in the call tells its conversation. */
export function conversationOf(call: Identified): Conversation | undefined {
  const name = nameOf(call)
  if (name === undefined) return undefined
  const cacheLifeMs = call.longCache ? LONG_CACHE_LIFE_MS : CACHE_LIFE_MS
  const hash = hashOf(name)
  const isNamed = name.startsWith('session ') || name.startsWith('cache key ')
  return { id: `${call.userId} ${hash}`, cacheLifeMs, ...(isNamed ? { session: hash } : {}) }
}

function nameOf({ headers, metadata, body, messages, promptCacheKey }: Identified): string | undefined {
  const session = headerOf(headers, 'x-claude-code-session-id')
  if (session) return `session ${session}`
  const userId = userIdOf(metadata)
  const named = userId && sessionIn(userId)
  if (named) return `session ${named}`
  if (promptCacheKey) return `cache key ${promptCacheKey}`
  const first = messages && firstUserText(body, messages)
  if (userId) return `user ${userId} ${first ?? ''}`
  return first
}

/** metadata.user_id */
function userIdOf(metadata: string | undefined): string | undefined {
  const value = parsedJson(metadata)
  const userId = isRecord(value) ? value.user_id : undefined
  return typeof userId === 'string' && userId !== '' ? userId : undefined
}

/** Claude Code writes JSON with a session in it. */
function sessionIn(userId: string): string | undefined {
  const value = userId.startsWith('{') ? parsedJson(userId) : undefined
  if (isRecord(value) && 'session_id' in value) {
    return typeof value.session_id === 'string' && value.session_id !== '' ? value.session_id : undefined
  }
  return OLD_SESSION.test(userId) ? userId : undefined
}

/**
 * Role and text of the first user message; for what is no text, its source. The same for a string and for one block
 * of it, however it is escaped, and whatever else a block says, such as that it is to be cached.
 */
function firstUserText(body: Uint8Array, messages: Span): string | undefined {
  // The input of OpenAI's responses may be the text itself.
  if (body[messages.start] === QUOTE) return `user text ${textSample(body, messages)}`
  let looked = 0
  for (const span of elementsOf(body, messages, MOST_STEPS)) {
    const message = membersOf(body, span, MESSAGE)
    const content = message.get('content')
    if (content && scalarAt(body, message.get('role')) === 'user') return `user text ${textIn(body, content)}`
    looked += 1
    if (looked >= MESSAGES_LOOKED_AT) return undefined
  }
  return undefined
}

function textIn(body: Uint8Array, content: Span): string {
  if (body[content.start] === QUOTE) return textSample(body, content)
  const parts: string[] = []
  let looked = 0
  for (const span of elementsOf(body, content, MOST_STEPS)) {
    walkObjects(body, span, '', BLOCK, ({ depth, key, members }) => {
      const text = depth === 0 ? members.get('text') : undefined
      if (text) parts.push(textSample(body, text))
      if (depth !== 1 || key !== 'source') return
      for (const part of ['data', 'url', 'file_id', 'content']) {
        const value = members.get(part)
        if (value) parts.push(rawSample(body, value))
      }
    })
    looked += 1
    if (looked >= MOST_PARTS) break
  }
  return parts.length > 0 ? parts.join('\n') : rawSample(body, content)
}

function textSample(body: Uint8Array, { start, end }: Span): string {
  if (end - start > MOST_DECODED) return rawSample(body, { start: start + 1, end: end - 1 })
  const text = stringFrom(DECODER.decode(body.subarray(start, end))) ?? ''
  if (text.length <= 2 * SAMPLE) return text
  return `${text.slice(0, SAMPLE)}${text.slice(-SAMPLE)}${text.length}`
}

function rawSample(body: Uint8Array, { start, end }: Span): string {
  const head = DECODER.decode(body.subarray(start, Math.min(start + SAMPLE, end)))
  const tail = DECODER.decode(body.subarray(Math.max(end - SAMPLE, start), end))
  return `${head}${tail}${end - start}`
}

/** cyrb53: 53 bits of two multiplicative hashes, https://github.com/bryc/code/blob/master/jshash/experimental/cyrb53.js */
function hashOf(text: string): string {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    a = Math.imul(a ^ unit, 2654435761)
    b = Math.imul(b ^ unit, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36)
}
