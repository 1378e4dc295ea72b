/** `cli apply FILE`: groups, limits and people as a YAML file says. */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { parse } from 'yaml'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { assertKnown, readPresent, runStep } from '../../../core/organisation/apply.ts'
import { planOf } from '../../../core/organisation/plan.ts'
import { lineOf } from '../../../core/organisation/plan-text.ts'
import { Wanted } from '../../../core/organisation/wanted.ts'
import { checked } from '../../../functions/guard.ts'
import { command, flag } from '../command.ts'
import { createProgress } from '../progress.ts'

export const APPLY = [
  command({
    name: 'apply',
    args: ['FILE'],
    about: 'brings groups, limits and people to what a YAML file says, after showing the difference',
    options: {
      yes: flag('do it without asking'),
      'dry-run': flag('only show the difference'),
    },
    async run({ db, config, args: [file = ''], options }) {
      const wanted = wantedIn(file)
      const present = await readPresent(db)
      assertKnown(present, wanted)
      const steps = planOf(present, wanted)
      const lines = steps.map(lineOf)
      const fields = { changes: lines, applied: 0 }
      if (steps.length === 0) return { said: 'Nothing to change.', fields }
      if (options['dry-run']) return { said: lines.join('\n'), fields }
      console.error(lines.join('\n'))
      if (!options.yes && !(await confirmed(steps.length))) return { said: 'Nothing was changed.', fields }
      const parts = { db, clock: systemClock, actor: COMMAND_LINE, settings: settingsFrom(config) }
      const progress = createProgress('Changing', 'changes')
      for (const [done, step] of steps.entries()) {
        progress.at(done, steps.length)
        await runStep(parts, step).catch((cause) =>
          stopped(cause, { done, all: steps.length, line: lineOf(step) }),
        )
      }
      progress.end()
      return { said: `Made ${counted(steps.length)}.`, fields: { ...fields, applied: steps.length } }
    },
  }),
]

function wantedIn(file: string): Wanted {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw new Refusal('not_found', `There is no file ${file}.`)
  }
  let document: unknown
  try {
    document = parse(text)
  } catch (cause) {
    throw new Refusal('body_invalid', `${file}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
  checked(Wanted, document ?? {})
  return Wanted.parse(document ?? {})
}

/** Only a person at a terminal can be asked. */
async function confirmed(changes: number): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new Refusal('body_invalid', `To make ${counted(changes)}, run it again with --yes.`)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`Make ${counted(changes)}? [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}

function stopped(cause: unknown, { done, all, line }: { done: number; all: number; line: string }): never {
  const why = cause instanceof Error ? cause.message : String(cause)
  throw new Refusal('conflict', `${done} of ${counted(all)} made, then stopped at "${line}": ${why}`)
}

function counted(changes: number): string {
  return changes === 1 ? '1 change' : `${changes} changes`
}
