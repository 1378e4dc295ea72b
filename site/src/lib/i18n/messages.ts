/** What a language has to have: the keys of English. */
import type { en } from './en.ts'

interface Plural {
  one?: string
  other: string
}
export type Messages = { [K in keyof typeof en]: (typeof en)[K] extends string ? string : Plural }
