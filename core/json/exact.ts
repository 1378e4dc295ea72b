/**
 * JSON whose numbers keep every digit. A JavaScript number has 53 bits, so 2512292042121000001 would be written as
 * 2512292042121000000, and 1.0 as 1.
 */
import { isRecord } from './is-record.ts'

declare global {
  interface JSON {
    parse(
      text: string,
      reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
    ): unknown
    /** A number that JSON.stringify writes as `text`. */
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
  }
}

/** Some digits of such a number, which are found sooner than the number. */
const HINT = /\d[\d.]{15}|\.\d*0|\d[eE]|-0/
/** What may be a number that is written differently: too long, with a closing zero or an exponent, or -0. */
const SUSPECT = /[:[,]\s*-?(?:[\d.]{16}|\d+\.\d*0(?!\d)|\d[\d.]*[eE]|(?<=-)0(?![\d.]))/

/** Whether the text may hold a number that JavaScript would write differently; false is certain. */
export function mayLoseDigits(text: string): boolean {
  return HINT.test(text) && SUSPECT.test(text)
}

/** The parsed text, in which numbers that would be written differently are exact ones. Throws a SyntaxError. */
export function exactJson(text: string): unknown {
  return JSON.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? JSON.rawJSON(source)
      : value,
  )
}

/** Whether the value is an object of JSON, which an exact number is not. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && !JSON.isRawJSON(value)
}
