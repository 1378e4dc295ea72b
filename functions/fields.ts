/** Schemas for fields of bodies and queries. All have a limit; text is well-formed and without control characters. */
import * as z from 'zod'
import { nothingHere } from '../core/errors.ts'
import { isNetwork } from '../core/http/networks.ts'
import { LONGEST_MODEL_NAME, ModelName } from '../core/models/name.ts'
import { PROBLEMS } from '../core/problems.ts'
import { microsOf } from '../core/units.ts'

const LARGEST_ID = Number.MAX_SAFE_INTEGER
const LARGEST_BUDGET_USD = 1_000_000_000

/* biome-ignore-start lint/suspicious/noControlCharactersInRegex: control characters are what is looked for */
// Written without \p{…}, because the OpenAPI document contains them and some languages do not support it.
/** No control characters. */
const LINE = /^[^\u0000-\u001f\u007f-\u009f]*$/
/** No control characters except tabs and line ends. */
const PROSE = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$/
/* biome-ignore-end lint/suspicious/noControlCharactersInRegex: as above */
/** Not only white space. */
const FILLED = /\S/

/** Of each argument one schema is made, because thousands take a tenth of the start. */
export function oneOfEach<A, S>(make: (argument: A) => S): (argument: A) => S {
  const made = new Map<A, S>()
  return (argument) => {
    const known = made.get(argument) ?? make(argument)
    made.set(argument, known)
    return known
  }
}

function textLike(pattern: RegExp, longest: number, expected: string) {
  return z
    .string()
    .regex(pattern, expected)
    .trim()
    .max(longest)
    .refine((text) => text.isWellFormed(), expected)
}

/** One line of text, up to `longest` characters; may be ''. */
export const optionalLine = oneOfEach((longest: number) => textLike(LINE, longest, PROBLEMS.one_line))

/** A password, exactly as it was typed. */
export const password = z
  .string()
  .min(1)
  .max(1024)
  .regex(LINE, PROBLEMS.no_controls)
  .refine((text) => text.isWellFormed(), PROBLEMS.text)

/** One line of text, not only white space. */
export const line = oneOfEach((longest: number) =>
  optionalLine(longest).min(1).regex(FILLED, PROBLEMS.required),
)

/** Several lines of text, up to `longest` characters; may be ''. */
export const optionalProse = oneOfEach((longest: number) => textLike(PROSE, longest, PROBLEMS.text))

/** Several lines of text, not only white space. */
export const prose = oneOfEach((longest: number) =>
  optionalProse(longest).min(1).regex(FILLED, PROBLEMS.required),
)

/** An RFC 3339 time, parsed to ms since 1970. */
export const moment = z.iso
  .datetime({ offset: true, error: PROBLEMS.time })
  .transform((text) => Date.parse(text))

/** A budget in dollars, parsed to micro-dollars. Amounts that round to 0 are refused, because 0 means no limit. */
export const dollars = z
  .union(
    [z.literal(0), z.number().min(0.000_001, PROBLEMS.budget).max(LARGEST_BUDGET_USD, PROBLEMS.budget)],
    PROBLEMS.budget,
  )
  .transform(microsOf)

/** An amount of a spend limit in dollars, parsed to micro-dollars; 0 is that nothing may be spent. */
export const amount = z.number().min(0).max(LARGEST_BUDGET_USD).transform(microsOf)

/** The name of a model; white space around it is removed. */
export const modelName = line(LONGEST_MODEL_NAME).pipe(ModelName)

/** A model's name, with `*` for any characters. */
export const modelGlob = line(LONGEST_MODEL_NAME).transform((glob) => glob.toLowerCase())

/** An address, or a network in CIDR notation. */
export const network = line(64).refine(isNetwork, PROBLEMS.network)

export const quotaTokens = z.int().min(0)

/** Limits of a body in core's names; undefined where not given. */
export function limitsOf<L>(body: {
  quota_tokens?: number | undefined
  budget_usd?: number | undefined
  requests_per_minute?: L
  tokens_per_minute?: L
  concurrent_requests?: L
}) {
  return {
    quotaTokens: body.quota_tokens,
    budgetMicros: body.budget_usd,
    requestsPerMinute: body.requests_per_minute,
    tokensPerMinute: body.tokens_per_minute,
    concurrentRequests: body.concurrent_requests,
  }
}

/** A number in a query string that matches `pattern`. */
function digits(pattern: RegExp, expected: string) {
  return z.string().regex(pattern, `${expected} is expected`).transform(Number)
}

export const idInQuery = digits(/^[1-9]\d{0,14}$/, 'an id')
/** Also 0, the built-in group and the organisation. */
export const groupIdInQuery = digits(/^(0|[1-9]\d{0,14})$/, 'an id')
export const page = digits(/^[1-9]\d{0,5}$/, 'the number of a page, from 1 on,').default(1)
export const pageSize = digits(/^([1-9]\d?|1\d\d|200)$/, 'a whole number from 1 to 200').default(50)
/** Text to search for, taken literally. */
export const searchText = z.string().trim().max(200)

/** The id in a path. Throws a Refusal not_found for text that is no id. */
export function idOf(text: string): number {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : 0
  if (id === 0 || id > LARGEST_ID) throw nothingHere()
  return id
}

export const timestamp = z.iso.datetime()

/** What a sentence beside it says, for programs. */
export const Coded = z.strictObject({
  code: z.string().meta({ description: 'What is meant; its words may change.' }),
  params: z.record(z.string(), z.union([z.string(), z.number()])).meta({ description: 'What they name.' }),
})
