/** Schemas for secrets: they refuse placeholders from examples and secrets that are easy to guess. */
import * as z from 'zod'

const SHORTEST_SIGNING_SECRET = 32
const LONGEST_SECRET = 4096
const LEAST_ENTROPY_BITS = 80
const LONGEST_REPEATED_UNIT = 16

/** Patterns of placeholders. They are tested in linear time. */
const PLACEHOLDERS = [
  /change.?me|replace.?me|your[-_. ]|placeholder|example|insert[-_ ]|todo[-_ ]/i,
  /^(my[-_ ]?)?(secret|password|token|api[-_ ]?key|todo|dummy|none|null)\d{0,4}$/i,
  /(^|[^a-z0-9])x{3,}|^x+$|^\*+$|\.\.\.|…|<[^<>]*>|\$\{/i,
]

function isPlaceholder(text: string): boolean {
  return PLACEHOLDERS.some((pattern) => pattern.test(text))
}

/** A secret that is no placeholder; '' = none. */
export const secret = z
  .string({ error: 'a text is expected' })
  .max(LONGEST_SECRET, `at most ${LONGEST_SECRET} characters are expected`)
  .refine((text) => !isPlaceholder(text), 'a real secret is expected, not a placeholder')

/** A secret that is sent in a header, so only visible ASCII characters are allowed. */
export const headerSecret = secret.refine(
  (text) => /^[\x21-\x7e]*$/.test(text),
  'letters, digits and signs without spaces or line breaks are expected',
)

/** Shannon entropy of the text's characters in bits (https://en.wikipedia.org/wiki/Entropy_(information_theory)). */
function entropyBits(text: string): number {
  const counts = new Map<string, number>()
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1)
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / text.length), 0)
}

function repeatsItself(text: string): boolean {
  return Array.from({ length: LONGEST_REPEATED_UNIT }, (_, i) => text.slice(0, i + 1)).some(
    (unit) => unit.repeat(Math.ceil(text.length / unit.length)).slice(0, text.length) === text,
  )
}

const signingSecret = secret
  .min(SHORTEST_SIGNING_SECRET, {
    error: `at least ${SHORTEST_SIGNING_SECRET} characters are expected`,
    abort: true,
  })
  .refine(
    (text) => entropyBits(text) >= LEAST_ENTROPY_BITS && !repeatsItself(text),
    'a random secret is expected, such as `openssl rand -hex 32` prints',
  )

/** One secret or a list, parsed to a list: the first signs, all verify. */
export const signingSecrets = z.unknown().transform((value, context): [string, ...string[]] => {
  if (typeof value !== 'string' && !Array.isArray(value)) {
    const message = `a secret of at least ${SHORTEST_SIGNING_SECRET} characters, or a list of them, is required`
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  const result = z.array(signingSecret).min(1, 'at least one secret is required').safeParse([value].flat())
  const [first, ...older] = result.data ?? []
  if (first !== undefined) return [first, ...older] satisfies [string, ...string[]]
  for (const { path, message } of result.error?.issues ?? []) {
    context.addIssue({ code: 'custom', path: Array.isArray(value) ? path : [], message })
  }
  return z.NEVER
})
