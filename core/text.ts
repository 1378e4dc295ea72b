/** Text on its way into storage. */

/** The same text with U+FFFD for what no database can give back: lone surrogates and null characters. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
