/** Makes text fit for storage. */

/** `text` with U+FFFD in place of lone surrogates and null characters, because no database returns those unchanged. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
