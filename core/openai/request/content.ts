/** Translates text, images and files for both of OpenAI's APIs (core/calls/PROTOCOL.md, OpenAI's requests). */

import { fromBase64 } from '../../bytes.ts'
import { invalidField } from '../../errors.ts'
import type { CacheControl, DocumentBlock, ImageBlock, TextBlock } from '../messages-api.ts'
import { unsupported } from './refuse.ts'

const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)?((?:;[\w.-]+=[\w."-]+)*)(;base64)?,/i
const IMAGE_TYPES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
const OTHER_SPELLINGS = new Map(
  Object.entries<string>({
    'image/jpg': 'image/jpeg',
    'image/pjpeg': 'image/jpeg',
    'image/x-png': 'image/png',
    'application/x-pdf': 'application/pdf',
  }),
)
/** How base64 of a kind begins. Claude compares the bytes of an image with the type that is said. */
const BEGINNINGS: readonly [RegExp, string][] = [
  [/^iVBORw0KGgo/, 'image/png'],
  [/^\/9j\//, 'image/jpeg'],
  [/^R0lGOD/, 'image/gif'],
  [/^UklGR.{7}RUJQ/, 'image/webp'],
  [/^JVBERi/, 'application/pdf'],
]
const TEXT_NAME =
  /\.(txt|md|markdown|csv|tsv|json|jsonl|xml|ya?ml|toml|ini|log|html?|css|[cm]?[jt]sx?|py|rb|go|rs|java|kt|c|h|cc|cpp|hpp|cs|php|sh|sql|tex|srt|vtt)$/i
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const LONGEST_TITLE = 500
/** What OpenAI's breakpoint becomes: the longer of the two lifetimes of Claude's cache, 5 minutes and an hour. */
const KEPT: CacheControl = { type: 'ephemeral', ttl: '1h' }

const isBlank = (text: string) => !/\S/.test(text)

/** Undefined for a text of nothing but white space, because Claude refuses those. */
export function textBlock(text: string): TextBlock | undefined {
  return isBlank(text) ? undefined : { type: 'text', text: text.toWellFormed() }
}

/** An image by its https or data URL. Throws a Refusal invalid_input for others. */
export function imageBlock(url: string, param: string): ImageBlock {
  if (/^https?:\/\//i.test(url)) return { type: 'image', source: { type: 'url', url: secure(url, param) } }
  const data = dataOf(url)
  const type = data && typeOf(data)
  if (!data?.base64 || !type || !IMAGE_TYPES.has(type)) {
    throw invalidField(
      param,
      'a PNG, JPEG, GIF or WebP image is expected, as base64 data or at an https address',
    )
  }
  return {
    type: 'image',
    source: { type: 'base64', media_type: type, data: plainBase64(data.data, param) },
  }
}

export interface GivenFile {
  file_data?: string | null | undefined
  file_id?: string | null | undefined
  file_url?: string | null | undefined
  filename?: string | null | undefined
}

/**
 * A PDF, text or image in the request, or a PDF at an address. Throws a Refusal: unsupported_value for stored files,
 * invalid_input for other types.
 */
export function fileBlock(file: GivenFile, param: string): DocumentBlock | ImageBlock {
  const title = file.filename?.trim() ? { title: file.filename.toWellFormed().slice(0, LONGEST_TITLE) } : {}
  if (file.file_url) {
    return {
      type: 'document',
      source: { type: 'url', url: secure(file.file_url, `${param}.file_url`) },
      ...title,
    }
  }
  if (file.file_id || !file.file_data) {
    throw unsupported(`${param}.file_id`, 'stored files are not known here; send file_data')
  }
  const at = `${param}.file_data`
  const data = dataOf(file.file_data) ?? { type: '', base64: true, data: file.file_data }
  const type = typeOf(data)
  if (data.base64 && type === 'application/pdf') {
    const source = { type: 'base64', media_type: type, data: plainBase64(data.data, at) } as const
    return { type: 'document', source, ...title }
  }
  if (data.base64 && IMAGE_TYPES.has(type)) return imageBlock(`data:${type};base64,${data.data}`, at)
  if (isText(type) || (!isSaid(type) && TEXT_NAME.test(file.filename ?? ''))) {
    const text = data.base64 ? decoded(data.data, at) : unescaped(data.data, at)
    if (isBlank(text)) throw invalidField(at, 'a file with some text is expected')
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, ...title }
  }
  throw invalidField(at, 'a PDF, a text or an image is expected, as a data URL or base64')
}

/** How a part says that the prompt is to be cached up to its end: by OpenAI's breakpoint, or as Claude has it. */
export interface Mark {
  prompt_cache_breakpoint?: unknown
  cache_control?: { ttl?: CacheControl['ttl'] | undefined } | null | undefined
}

/** The block, with cache_control if the part has a mark. */
export function marked<T extends object>(
  block: T,
  { prompt_cache_breakpoint, cache_control }: Mark,
): T & { cache_control?: CacheControl } {
  if (cache_control) {
    const { ttl } = cache_control
    return { ...block, cache_control: { type: 'ephemeral', ...(ttl && { ttl }) } }
  }
  return prompt_cache_breakpoint ? { ...block, cache_control: KEPT } : block
}

interface Data {
  /** '' if it is not said. */
  type: string
  base64: boolean
  data: string
}

function dataOf(url: string): Data | undefined {
  // Only the start is matched, because the data may be megabytes long.
  const [head, type = 'text/plain', , base64] = DATA_URL.exec(url.slice(0, 256)) ?? []
  if (head === undefined) return undefined
  return { type: type.toLowerCase(), base64: base64 !== undefined, data: url.slice(head.length) }
}

/** The type by the first bytes, because clients often say a wrong one; else what is said. */
function typeOf({ type, base64, data }: Data): string {
  const start = base64 ? data.slice(0, 32) : ''
  const found = BEGINNINGS.find(([beginning]) => beginning.test(start))
  return found?.[1] ?? OTHER_SPELLINGS.get(type) ?? type
}

const isSaid = (type: string) => type !== '' && type !== 'application/octet-stream'
const isText = (type: string) => type.startsWith('text/') || type === 'application/json'

function secure(url: string, param: string): string {
  if (!/^https:\/\//i.test(url) || !URL.canParse(url))
    throw invalidField(param, 'an https address is expected')
  return url
}

/** What encoders write that Claude does not take: line ends, and the alphabet of addresses. */
const ODD = ['\n', '\r', ' ', '\t', '-', '_']
const [PLUS, MINUS, SLASH, UNDERSCORE] = [0x2b, 0x2d, 0x2f, 0x5f]
/** Characters at both ends that are looked at one by one, because the data may be megabytes long. */
const LOOKED_AT = 1_000

/** Base64 in one line and in the common alphabet. */
function plainBase64(data: string, param: string): string {
  const plain = ODD.some((odd) => data.includes(odd)) ? respelled(data) : data
  const ends = plain.slice(0, LOOKED_AT) + plain.slice(LOOKED_AT).slice(-LOOKED_AT)
  if (plain === '' || plain.length % 4 === 1 || !BASE64.test(ends))
    throw invalidField(param, 'base64 is expected')
  return plain.length % 4 === 0 ? plain : plain.padEnd(plain.length + 4 - (plain.length % 4), '=')
}

/** Byte by byte, because replacing in a text takes seconds where every other character is one of these. */
function respelled(data: string): string {
  const bytes = new TextEncoder().encode(data)
  let length = 0
  for (const byte of bytes) {
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) continue
    bytes[length] = byte === MINUS ? PLUS : byte === UNDERSCORE ? SLASH : byte
    length += 1
  }
  return new TextDecoder().decode(bytes.subarray(0, length))
}

function decoded(base64: string, param: string): string {
  try {
    const bytes = fromBase64(plainBase64(base64, param))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw invalidField(param, 'text in UTF-8 as base64 is expected')
  }
}

function unescaped(data: string, param: string): string {
  try {
    return decodeURIComponent(data).toWellFormed()
  } catch {
    throw invalidField(param, 'a data URL with percent escapes is expected')
  }
}
