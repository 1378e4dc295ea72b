/** From what was typed to a command with its arguments and options. Throws a Refusal body_invalid that says what to type. */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { Refusal } from '../../core/errors.ts'
import { type Command, oneLine } from './command.ts'
import { overview } from './help.ts'
import type { Format } from './output.ts'

interface Parsed {
  command: Command
  args: string[]
  options: Record<string, unknown>
  format: Format
  help: boolean
}

const COMMON = { json: { type: 'boolean' }, csv: { type: 'boolean' }, help: { type: 'boolean' } } as const

/** The command that the words begin with: the longest name that fits. */
function commandOf(commands: readonly Command[], words: readonly string[]): Command | undefined {
  const fits = ({ name }: Command) => name.split(' ').every((word, at) => words[at] === word)
  return commands.filter(fits).toSorted((one, other) => other.name.length - one.name.length)[0]
}

export function parse(commands: readonly Command[], typed: readonly string[]): Parsed {
  const words = wordsOf(commands, typed)
  const command = commandOf(commands, words)
  if (!command) throw new Refusal('body_invalid', `${unknown(words)}\n\n${overviewFor(commands, words)}`)
  const { values, positionals } = tokens(command, withValues(command, typed))
  const args = positionals.slice(command.name.split(' ').length)
  const help = values.help === true
  if (!help) checkArguments(command, args)
  if (values.json && values.csv) throw new Refusal('body_invalid', 'Choose one of --json and --csv.')
  const format = values.json ? 'json' : values.csv ? 'csv' : 'text'
  return { command, args, options: help ? {} : checked(command, values), format, help }
}

function tokens({ name, options }: Command, args: readonly string[]) {
  const own: ParseArgsConfig['options'] = { ...COMMON }
  for (const [option, { value }] of Object.entries(options)) {
    own[option] = { type: value === undefined ? 'boolean' : 'string' }
  }
  try {
    return parseArgs({ args: [...args], options: own, allowPositionals: true })
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message.split('. ')[0] : String(cause)
    throw new Refusal('body_invalid', `${problem}. See: npm run cli -- ${name} --help`)
  }
}

/** Each option with its value as one word, because a value such as -5 would be taken for an option. */
function withValues({ options }: Command, typed: readonly string[]): string[] {
  const joined: string[] = []
  for (let at = 0; at < typed.length; at++) {
    const word = typed[at] ?? ''
    const isOption = word.startsWith('--') && options[word.slice(2)]?.value !== undefined
    const value = isOption ? typed[++at] : undefined
    if (isOption && (value === undefined || /^-(?!\.?\d)/.test(value))) {
      throw new Refusal(
        'body_invalid',
        `${word}: a value is expected; type one that begins with - as ${word}=VALUE.`,
      )
    }
    joined.push(value === undefined ? word : `${word}=${value}`)
  }
  return joined
}

function unknown(words: readonly string[]): string {
  return words.length === 0 ? 'A command is expected.' : `"${words.slice(0, 2).join(' ')}" is no command.`
}

function checkArguments({ name, args: expected }: Command, given: readonly string[]) {
  const odd = given.findIndex((one) => !oneLine.safeParse(one).success)
  if (odd >= 0) throw new Refusal('body_invalid', `${expected[odd] ?? expected.at(-1)}: a text is expected.`)
  const missing = expected[given.length]
  if (missing !== undefined && !missing.startsWith('[')) {
    throw new Refusal('body_invalid', `${missing} is missing.`)
  }
  const extra = given[expected.length]
  if (extra !== undefined && !expected.at(-1)?.includes('…')) {
    throw new Refusal('body_invalid', `"${extra}" is too much. See: npm run cli -- ${name} --help`)
  }
}

function checked({ options }: Command, values: Record<string, unknown>): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, { schema }] of Object.entries(options)) {
    if (values[name] === undefined) continue
    const parsed = schema.safeParse(values[name])
    if (!parsed.success) throw new Refusal('body_invalid', `--${name}: ${parsed.error.issues[0]?.message}`)
    result[name] = parsed.data
  }
  return result
}

/** Help that was asked for where no command is named, on those of one noun or on all; undefined otherwise. */
export function helpAsked(commands: readonly Command[], typed: readonly string[]): string | undefined {
  const words = wordsOf(commands, typed)
  return typed.includes('--help') && !commandOf(commands, words) ? overviewFor(commands, words) : undefined
}

/** What is neither an option nor the value of one, wherever options stand. */
function wordsOf(commands: readonly Command[], typed: readonly string[]): string[] {
  const options = commands.flatMap((one) => Object.entries(one.options))
  const taking = new Set(options.filter(([, { value }]) => value !== undefined).map(([name]) => `--${name}`))
  return typed.filter((word, at) => !word.startsWith('-') && !taking.has(typed[at - 1] ?? ''))
}

function overviewFor(commands: readonly Command[], [first]: readonly string[]): string {
  const related = commands.filter(({ name }) => name.split(' ')[0] === first)
  return overview(related.length > 0 ? related : commands)
}
