/** What a command is: its words, its arguments and options, and what it answers. Help and parsing follow from it. */
import * as z from 'zod'
import type { Config } from '../../config/schema.ts'
import { Refusal } from '../../core/errors.ts'
import type { Db } from '../../core/ports.ts'
import { problem } from '../../core/problems.ts'
import { line, prose } from '../../functions/fields.ts'
import { problemOf } from '../../functions/problem-of.ts'
import type { Result } from './output.ts'

const LONGEST_NAME = 100
const LONGEST_REMARK = 2_000
const NAME = line(LONGEST_NAME)

export interface Option<T> {
  /** What stands for the value in help; undefined for a switch. */
  value: string | undefined
  about: string
  schema: z.ZodType<T>
}
type Options = Record<string, Option<unknown>>
type Given<O extends Options> = { [K in keyof O]?: O[K] extends Option<infer T> ? T : never }

interface Context<O extends Options> {
  config: Config
  /** In the order of `args`; one that may be left out may be missing. */
  args: readonly string[]
  options: Given<O>
}
interface Stored {
  db: Db
}

interface About<O extends Options> {
  /** As it is typed, such as `user create`. */
  name: string
  /** Names of the arguments, such as `ITCODE`; in brackets if it may be left out, with … if it may be repeated. */
  args?: readonly string[]
  /** Follows "it": `makes a user`. */
  about: string
  options?: O
}

export interface Command extends Required<About<Options>> {
  needs: 'config' | 'storage'
  run(context: Context<Record<string, Option<unknown>>> & Partial<Stored>): Promise<Result | undefined>
}

/** A command that works on the database. */
export function command<O extends Options = Record<never, never>>(
  about: About<O> & { run(context: Context<O> & Stored): Promise<Result | undefined> },
): Command {
  return {
    args: [],
    ...about,
    options: about.options ?? {},
    needs: 'storage',
    // The parser has checked each option by its own schema, and the caller opens what `needs` names.
    run: (context) => about.run(context as Context<O> & Stored),
  }
}

/** A command that only reads the configuration. */
export function configCommand(
  about: About<Record<never, never>> & {
    run(config: Config, args: readonly string[]): Promise<Result | undefined>
  },
): Command {
  return {
    args: [],
    options: {},
    ...about,
    needs: 'config',
    run: ({ config, args }) => about.run(config, args),
  }
}

/** Any argument: what has control characters would change what a terminal shows of lists. */
export const oneLine = line(100_000)

export function text(value: string, about: string): Option<string> {
  return { value, about, schema: worded(oneLine, asTyped) }
}

/** Several lines. */
export function remark(about: string): Option<string> {
  return { value: 'TEXT', about, schema: worded(prose(LONGEST_REMARK), asTyped) }
}

/** What somebody or something is called. */
export function title(about: string): Option<string> {
  return { value: 'NAME', about, schema: worded(NAME, asTyped) }
}

/** The same as an argument. Throws a Refusal body_invalid. */
export function titleIn(argument: string | undefined): string {
  const name = NAME.safeParse(argument)
  if (name.success) return name.data
  throw new Refusal('body_invalid', `A name of at most ${LONGEST_NAME} characters is expected.`)
}

export function flag(about: string): Option<boolean> {
  return { value: undefined, about, schema: z.boolean() }
}

export function choice<const T extends string>(names: readonly T[], about: string): Option<T> {
  const listed = `${names.slice(0, -1).join(', ')} or ${names.at(-1)} is expected.`
  return { value: names.join('|'), about, schema: z.enum(names, listed) }
}

/** A number of the command line, checked by `schema`. */
export function number<T>(value: string, about: string, schema: z.ZodType<T, number>): Option<T> {
  return { value, about, schema: worded(schema, (text) => (text.trim() === '' ? Number.NaN : Number(text))) }
}

/** A schema that says what is wrong as the API says it, because the library's own words are for programmers. */
function worded<T, I>(schema: z.ZodType<T, I>, read: (text: string) => I): z.ZodType<T> {
  return z.string().transform((text, context): T => {
    const parsed = schema.safeParse(read(text), { reportInput: true })
    if (parsed.success) return parsed.data
    const [first] = parsed.error.issues
    const { code, params } = first ? problemOf(first) : problem('other')
    context.addIssue(`${problem(code, params).message}.`)
    return z.NEVER
  })
}
const asTyped = (text: string) => text
