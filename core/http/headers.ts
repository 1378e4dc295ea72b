/** Reading header pairs. */
import type { HeaderPairs } from '../ports.ts'

/** The value of a header, or undefined; the first if it is repeated. */
export function headerOf(headers: HeaderPairs, name: string): string | undefined {
  return headers.find(([other]) => other === name)?.[1]
}

/** The media type of a body in lower case, without parameters; '' when nothing tells. */
export function mediaTypeOf(headers: HeaderPairs): string {
  const [type = ''] = (headerOf(headers, 'content-type') ?? '').split(';', 1)
  return type.trim().toLowerCase()
}
