/** Reading header pairs. */
import type { HeaderPairs } from '../ports.ts'

/** The value of a header, or undefined; the first if it is repeated. */
export function headerOf(headers: HeaderPairs, name: string): string | undefined {
  return headers.find(([other]) => other === name)?.[1]
}
