/** `npm run cli -- …`: the gateway's command line, for administrators and for scripts. */
import { ConfigError } from '../../config/error.ts'
import type { Fields } from '../../core/ports.ts'
import { openStorage } from '../node/drivers.ts'
import { problemOf } from '../shared/problem.ts'
import { EXIT_CONFIG, NoConfig, readSettings } from '../shared/settings.ts'
import { VERSION } from '../shared/version.ts'
import { COMMANDS } from './commands/all.ts'
import { helpOn } from './help.ts'
import { type Format, printed, type Result } from './output.ts'
import { helpAsked, parse } from './parse.ts'

/** Logs to standard error, because standard output is for the result. */
const TO_STDERR = { info() {}, warn: (event: string, fields?: Fields) => console.error(event, fields) }

async function run(typed: string[]): Promise<void> {
  if (typed.length === 1 && typed[0] === '--version') return console.log(VERSION)
  const asked = helpAsked(COMMANDS, typed)
  if (asked !== undefined) return console.log(asked)
  const { command, args, options, format, help } = parse(COMMANDS, typed)
  if (help) return console.log(helpOn(command))
  const config = readSettings()
  if (command.needs === 'config') return print(await command.run({ config, args, options }), format)
  const storage = await openStorage(config, TO_STDERR)
  try {
    print(await command.run({ config, args, options, db: storage.db }), format)
  } finally {
    await storage.close()
  }
}

function print(result: Result | undefined, format: Format) {
  if (!result) return
  const { out, note } = printed(result, format)
  console.log(out)
  if (note) console.error(note)
}

try {
  await run(process.argv.slice(2))
} catch (cause) {
  console.error(problemOf(cause))
  process.exitCode = cause instanceof ConfigError || cause instanceof NoConfig ? EXIT_CONFIG : 1
}
