/** What the formats of channels share. */
import {
  type Fact,
  inLanguage,
  type Language,
  type Message,
  MessageRefused,
} from '../../../core/notices/message.ts'
import type { ChannelTarget } from '../../../core/ports.ts'

export interface PostRequest {
  url: string
  headers: Readonly<Record<string, string>>
  body: string
}
export interface PostAnswer {
  status: number
  /** The beginning of its body. */
  text: string
}

/** How one kind of channel is spoken to. */
export interface Format {
  /** `now`: ms since 1970. */
  request(target: ChannelTarget, message: Message, now: number): PostRequest | Promise<PostRequest>
  /** Why the channel did not take it; undefined if it did. It tells what the channel answered, never what it was sent. */
  problemOf(answer: PostAnswer): Error | undefined
}

const MOST_BYTES = 16_384

/** The first 16 KiB of an answer's body; the rest is not read. */
export async function beginningOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk.subarray(0, MOST_BYTES - size), { stream: true })
    size += chunk.length
    if (size >= MOST_BYTES) break
  }
  return text
}

export const JSON_HEADERS = { 'content-type': 'application/json; charset=utf-8' }

export async function hmacSha256(key: string, text: string): Promise<Uint8Array> {
  const encode = (of: string) => new TextEncoder().encode(of)
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const imported = await crypto.subtle.importKey('raw', encode(key), algorithm, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, encode(text)))
}

export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

/** What `write` makes of each fact. */
export function linesOf<T>(
  { facts }: Message,
  language: Language,
  write: (label: string, value: string) => T,
): T[] {
  return facts.map(({ label, value }: Fact) => write(label[language], inLanguage(value, language)))
}

/**
 * Text of people for Markdown that knows no escapes: what makes links, images, mentions and tags is replaced by its wide form, so
 * that nobody can put a link of their own beside the gateway's.
 */
export function plainMarkdown(text: string): string {
  return text.replaceAll(/[[\]<>*`#|~!\\]/g, (sign) => String.fromCharCode(sign.charCodeAt(0) + 0xfee0))
}

/** Statuses that say of a message that it is never taken; 401, 403 and 404 are about the channel. */
const REFUSED: readonly number[] = [400, 413, 415, 422]

export function problemByStatus({ status }: PostAnswer, text = `it answered ${status}`): Error {
  return REFUSED.includes(status) ? new MessageRefused(text) : new Error(text)
}

/** Of services that answer `{"<name>": 0}` when they took it, and else why not. `busy`: codes of those that take it later. */
export function problemByCode(
  answer: PostAnswer,
  { name, message, busy }: { name: string; message: string; busy: readonly unknown[] },
): Error | undefined {
  const { status } = answer
  const said = parsed(answer.text)
  const code = said[name]
  const isAnswered = status >= 200 && status < 300
  if (isAnswered && code === 0) return undefined
  if (code === undefined) return problemByStatus(answer)
  const text = `it answered ${code}: ${String(said[message]).slice(0, 200)}`
  return isAnswered && !busy.includes(code) ? new MessageRefused(text) : problemByStatus(answer, text)
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
