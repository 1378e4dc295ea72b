/** Help on all commands, on those of one noun, and on one command. */
import type { Command } from './command.ts'

const COMMON = [
  ['--json', 'print the answer as JSON'],
  ['--csv', 'print the answer as CSV'],
  ['--help', 'say what a command does and takes'],
] as const

const CALL = 'npm run cli --'

export function overview(commands: readonly Command[]): string {
  return `Usage: ${CALL} COMMAND [ARGUMENTS] [OPTIONS]\n\n${lines(commands.map(summary))}

It works on the database of the configuration, whether or not the server runs. Every command takes ${COMMON.map(([name]) => name).join(', ')}.
  --version                    print the version`
}

export function helpOn({ name, about, args, options }: Command): string {
  const own = Object.entries(options).map(
    ([option, { value, about }]) => [`--${option}${value ? ` ${value}` : ''}`, about] as const,
  )
  const call = [CALL, name, ...args, ...(own.length > 0 ? ['[OPTIONS]'] : [])].join(' ')
  return `Usage: ${call}\n\n${sentence(about)}\n\n${lines([...own, ...COMMON])}`
}

function summary({ name, args, about }: Command) {
  return [[name, ...args].join(' '), about] as const
}

function lines(pairs: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...pairs.map(([left]) => left.length))
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')
}

function sentence(about: string): string {
  return `${about.charAt(0).toUpperCase()}${about.slice(1)}.`
}
