/** The kinds of fields that bodies and queries are made of. Everything is bounded, and text is really text. */
import * as z from 'zod'
import { nothingHere } from '../core/errors.ts'
import { LONGEST_MODEL_NAME, ModelName } from '../core/models/name.ts'
import { microsOf } from '../core/units.ts'

const LARGEST_ID = Number.MAX_SAFE_INTEGER
const LARGEST_BUDGET_USD = 1_000_000_000
const BUDGET_EXPECTED = `0, or from 0.000001 to ${LARGEST_BUDGET_USD}, is expected`

/* biome-ignore-start lint/suspicious/noControlCharactersInRegex: control characters are what is looked for */
// The reference shows these as they are, also to readers whose language knows no classes of characters.
/** No control characters. */
const LINE = /^[^\u0000-\u001f\u007f-\u009f]*$/
/** None but tabs and the ends of lines. */
const PROSE = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$/
/* biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above */
/** More than white space. */
const FILLED = /\S/

function textLike(pattern: RegExp, longest: number, expected: string) {
  return z
    .string()
    .regex(pattern, expected)
    .trim()
    .max(longest)
    .refine((text) => text.isWellFormed(), expected)
}

/** One line for people to read: nothing that is not Unicode; '' is none. */
export function optionalLine(longest: number) {
  return textLike(LINE, longest, 'one line of text is expected')
}

export function line(longest: number) {
  return optionalLine(longest).min(1).regex(FILLED)
}

/** Several lines; '' is none. */
export function optionalProse(longest: number) {
  return textLike(PROSE, longest, 'text is expected')
}

export function prose(longest: number) {
  return optionalProse(longest).min(1).regex(FILLED)
}

/** A moment, in ms afterwards. */
export const moment = z.iso
  .datetime({ offset: true, error: 'a time such as 2027-01-31T00:00:00Z is expected' })
  .transform((text) => Date.parse(text))

/** A budget in dollars, in micro-dollars afterwards. One that rounds to 0 would be no limit at all. */
export const dollars = z
  .union(
    [z.literal(0), z.number().min(0.000_001, BUDGET_EXPECTED).max(LARGEST_BUDGET_USD, BUDGET_EXPECTED)],
    BUDGET_EXPECTED,
  )
  .transform(microsOf)

/** A model, with or without white space around its name. */
export const modelName = line(LONGEST_MODEL_NAME).pipe(ModelName)

export const quotaTokens = z.int().min(0)

/** A number in a query string, of which `pattern` says everything. */
function digits(pattern: RegExp, expected: string) {
  return z.string().regex(pattern, `${expected} is expected`).transform(Number)
}

export const idInQuery = digits(/^[1-9]\d{0,14}$/, 'an id')
export const page = digits(/^[1-9]\d{0,5}$/, 'the number of a page, from 1 on,').default(1)
export const pageSize = digits(/^([1-9]\d?|1\d\d|200)$/, 'a whole number from 1 to 200').default(50)
/** A text to look for, taken literally. */
export const searchText = z.string().trim().max(200)

/** The id in a path. What cannot be one is as unknown as one that does not exist. */
export function idOf(text: string): number {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0
  if (id === 0 || id > LARGEST_ID) throw nothingHere()
  return id
}

export const timestamp = z.iso.datetime()
