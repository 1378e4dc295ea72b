/** Valid model names, the same in bodies, paths, forms and the configuration. */
import * as z from 'zod'

/** In characters (UTF-16 units). */
export const LONGEST_MODEL_NAME = 256
/** No control characters, no line separators and no U+FFFD, which stands for bytes that are not UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const READABLE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]*$/

/** What is wrong with a name, as a sentence for a person; undefined for a valid one. */
export function modelNameProblem(name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return 'a non-empty string is required.'
  if (name.length > LONGEST_MODEL_NAME) return 'this is too long for a name.'
  if (!READABLE.test(name) || !name.isWellFormed()) return 'control characters are not allowed.'
  return undefined
}

const PLAIN = /^[!-~]*$/
/** Invisible characters, such as zero-width spaces, soft hyphens and variation selectors. */
const INVISIBLE = /[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu

/** A name as rules compare it, so that a spelling that only looks the same does not evade them. */
export function comparableName(name: string): string {
  if (PLAIN.test(name)) return name
  return name
    .normalize('NFKC')
    .replace(INVISIBLE, '')
    .replace(/\p{Pd}/gu, '-')
    .trim()
}

const OF_CLAUDE = /claude/i
/** What a client adds to a name to say how it wants the model: the size of its context, as [1m], or its speed. */
const CONTEXT_MARK = /\[[^[\]]*\]$/
const FAST_MARK = /-fast$/i

/** A Claude model's name as Anthropic writes it, without dots and marks; `fast`: a mark asked for the fast speed. */
export function plainSpelling(name: string): { name: string; fast: boolean } {
  if (!OF_CLAUDE.test(name)) return { name, fast: false }
  const dashed = name.replace(/(?<=\d)\.(?=\d)/g, '-').replace(CONTEXT_MARK, '')
  return { name: dashed.replace(FAST_MARK, ''), fast: FAST_MARK.test(dashed) }
}

export const ModelName = z
  .string()
  .min(1)
  .max(LONGEST_MODEL_NAME, 'this is too long for a name')
  .regex(READABLE, 'control characters are not allowed')
  .refine((name) => name.isWellFormed(), 'control characters are not allowed')
