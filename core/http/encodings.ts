/** How request bodies come. */

/** Whether the next piece of a body, `bytes` long, may be kept. */
export type TakeBytes = (bytes: number) => boolean

/** Encodings in which request bodies may come: https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1 and RFC 9659 (zstd). */
export type ContentEncoding = 'zstd' | 'gzip' | 'br' | 'deflate'

/** The body with the content-encoding gzip, made without keeping others waiting. */
export type Compress = (body: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>

/**
 * Undoes a content-encoding without keeping others waiting. `take` is called with the size of each piece before it is kept;
 * once it returns false the result is undefined. Rejects if `body` is damaged or incomplete.
 */
export type Decompress = (
  encoding: ContentEncoding,
  body: Uint8Array,
  take: TakeBytes,
) => Promise<Uint8Array | undefined>
