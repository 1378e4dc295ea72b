/** Translates text, images and files for both of OpenAI's APIs (core/calls/PROTOCOL.md, OpenAI's requests). */

import { invalidField } from '../../errors.ts'
import type { CacheControl, DocumentBlock, ImageBlock, TextBlock } from '../messages-api.ts'
import { unsupported } from './refuse.ts'

const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)?((?:;[\w.-]+=[\w."-]+)*)(;base64)?,/i
const IMAGE_TYPES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
/** What OpenAI's breakpoint becomes: the longer of the two lifetimes of Claude's cache, 5 minutes and an hour. */
const KEPT: CacheControl = { type: 'ephemeral', ttl: '1h' }

/** Undefined for an empty text, because Claude refuses those. */
export function textBlock(text: string): TextBlock | undefined {
  return text === '' ? undefined : { type: 'text', text }
}

/** An image by its http(s) or data URL. Throws a Refusal invalid_input for others. */
export function imageBlock(url: string, param: string): ImageBlock {
  if (/^https?:\/\//i.test(url)) return { type: 'image', source: { type: 'url', url } }
  const data = dataOf(url)
  if (!data?.base64 || !IMAGE_TYPES.has(data.type)) {
    throw invalidField(
      param,
      'a PNG, JPEG, GIF or WebP image is expected, as base64 data or at an https address',
    )
  }
  return { type: 'image', source: { type: 'base64', media_type: data.type, data: data.data } }
}

/** A PDF, text or image in the request. Throws a Refusal: unsupported_value for stored files, invalid_input for other types. */
export function fileBlock(
  file: { file_data?: string | undefined; file_id?: string | undefined; filename?: string | undefined },
  param: string,
): DocumentBlock | ImageBlock {
  if (file.file_id !== undefined || file.file_data === undefined) {
    throw unsupported(`${param}.file_id`, 'stored files are not known here; send file_data')
  }
  const title = file.filename ? { title: file.filename } : {}
  const data = dataOf(file.file_data)
  if (data?.base64 && data.type === 'application/pdf') {
    const source = { type: 'base64', media_type: 'application/pdf', data: data.data } as const
    return { type: 'document', source, ...title }
  }
  if (data && IMAGE_TYPES.has(data.type)) return imageBlock(file.file_data, `${param}.file_data`)
  if (data && (data.type.startsWith('text/') || data.type === 'application/json')) {
    const text = data.base64 ? decoded(data.data, param) : decodeURIComponent(data.data)
    return { type: 'document', source: { type: 'text', media_type: 'text/plain', data: text }, ...title }
  }
  throw invalidField(`${param}.file_data`, 'a data URL of a PDF, a text or an image is expected')
}

/** The block, with cache_control if the part has a breakpoint. */
export function marked<T extends object>(
  block: T,
  breakpoint: unknown,
): T & { cache_control?: CacheControl } {
  return breakpoint ? { ...block, cache_control: KEPT } : block
}

function dataOf(url: string): { type: string; base64: boolean; data: string } | undefined {
  // Only the start is matched, because the data may be megabytes long.
  const [head, type = 'text/plain', , base64] = DATA_URL.exec(url.slice(0, 256)) ?? []
  if (head === undefined) return undefined
  return { type: type.toLowerCase(), base64: base64 !== undefined, data: url.slice(head.length) }
}

function decoded(base64: string, param: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw invalidField(`${param}.file_data`, 'text in UTF-8 as base64 is expected')
  }
}
