/** The kinds of fields that bodies and queries are made of. Everything is bounded, and text is really text. */
import * as z from 'zod'
import { Refusal } from '../core/errors.ts'
import { ModelName } from '../core/models/name.ts'

const LARGEST_ID = Number.MAX_SAFE_INTEGER
const LARGEST_BUDGET_USD = 1_000_000_000
const MICROS = 1_000_000

/** One line for people to read: no control characters, nothing that is not Unicode; '' is none. */
export function optionalLine(longest: number) {
  return z
    .string()
    .trim()
    .max(longest)
    .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), 'one line of text is expected')
}

export function line(longest: number) {
  return optionalLine(longest).min(1)
}

/** Several lines; '' is none. */
export function optionalProse(longest: number) {
  return z
    .string()
    .trim()
    .max(longest)
    .refine((text) => text.isWellFormed() && !/[^\P{Cc}\n\r\t]/u.test(text), 'text is expected')
}

export function prose(longest: number) {
  return optionalProse(longest).min(1)
}

/** A moment, in ms afterwards. */
export const moment = z.iso
  .datetime({ offset: true, error: 'a time such as 2027-01-31T00:00:00Z is expected' })
  .transform((text) => Date.parse(text))

/** A budget in dollars, in micro-dollars afterwards. One that rounds to 0 would be no limit at all. */
export const dollars = z
  .number()
  .min(0)
  .max(LARGEST_BUDGET_USD)
  .refine((usd) => usd <= 0 || usd >= 0.000_001, '0 or at least 0.000001 is expected')
  .transform((usd) => Math.round(usd * MICROS))

/** A model, with or without white space around its name. */
export const modelName = z.string().trim().pipe(ModelName)

export const quotaTokens = z.int().min(0)

/** A number in a query string. */
function digits(smallest: number, largest: number) {
  return z
    .string()
    .regex(/^(0|[1-9]\d{0,15})$/, 'a whole number is expected')
    .transform(Number)
    .pipe(z.int().min(smallest).max(largest))
}

export const idInQuery = digits(1, LARGEST_ID)
/** Pages from 1 on; at most 200 rows each. */
export const page = digits(1, 1_000_000).default(1)
export const pageSize = digits(1, 200).default(50)
/** A text to look for, taken literally. */
export const searchText = z.string().trim().max(200)

/** The id in a path. What cannot be one is as unknown as one that does not exist. */
export function idOf(text: string): number {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0
  if (id === 0 || id > LARGEST_ID) throw nothingHere()
  return id
}

/** The one answer for what does not exist and for what is somebody else's. */
export function nothingHere(): Refusal {
  return new Refusal('not_found', 'There is nothing at this address.')
}

export const timestamp = z.iso.datetime()

/** A moment as the contract has it: RFC 3339, UTC. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

export function usd(micros: number): number {
  return micros / MICROS
}
