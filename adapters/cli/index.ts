/** `npm run cli -- …`: the gateway's command line, for tasks that the dashboard does not cover. */
import { parseArgs } from 'node:util'
import { ConfigError } from '../../config/error.ts'
import { redacted } from '../../config/redact.ts'
import type { Config } from '../../config/schema.ts'
import { warningsOf } from '../../config/warnings.ts'
import { Refusal } from '../../core/errors.ts'
import type { Fields } from '../../core/ports.ts'
import { openStorage } from '../node/server.ts'
import { problemOf } from '../shared/problem.ts'
import { EXIT_CONFIG, NoConfig, readSettings } from '../shared/settings.ts'
import { knownPrices } from '../shared/tables.ts'
import { VERSION } from '../shared/version.ts'
import {
  adopt,
  backup,
  createKeyFor,
  createUserAs,
  disableKey,
  handOverCodeTo,
  needed,
  printKeys,
  printObjects,
  printUsage,
  printUsers,
} from './commands.ts'
import { importFile } from './import.ts'
import { restoreFile } from './restore.ts'

const USAGE = `Usage: npm run cli -- COMMAND

  user create ITCODE [--name NAME] [--admin] [--quota TOKENS] [--budget USD]
  user list
  user code ITCODE                                           prints a code to sign in with, from any browser
  key create ITCODE [--name NAME] [--expires 2027-01-31]     prints the key, once
  key list [ITCODE]
  key disable ID | key enable ID
  objects adopt ID BACKEND ITCODE [--kind container|thread|file|skill]   made elsewhere, theirs from now on
  objects list [ITCODE]
  usage [--by user|model|backend|day] [--days 30]
  backup FILE                                              while the server runs, too
  restore FILE                                             while it does not run
  import FILE                                              takes over a gateway.db of the original Go gateway
  check-config                                             says what is wrong or left open, and prints the settings in force
  --version`

/** Logs to standard error, because standard output is for the result. */
const TO_STDERR = { info() {}, warn: (event: string, fields?: Fields) => console.error(event, fields) }
const SECOND_IS_FREE = new Set(['backup', 'usage', 'import'])

const OPTIONS = {
  name: { type: 'string' },
  admin: { type: 'boolean' },
  quota: { type: 'string' },
  budget: { type: 'string' },
  expires: { type: 'string' },
  by: { type: 'string' },
  days: { type: 'string' },
  kind: { type: 'string' },
  version: { type: 'boolean' },
} as const

async function run(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({ args, options: OPTIONS, allowPositionals: true })
  const [first = '', second = '', third] = positionals
  if (values.version) return console.log(VERSION)
  const config = readSettings()
  if (first === 'check-config') return checkConfig(config)
  if (first === 'restore') return restoreFile(config, needed(second, 'FILE'))
  const storage = await openStorage(config, TO_STDERR)
  const { db } = storage
  try {
    switch (`${first} ${SECOND_IS_FREE.has(first) ? '' : second}`.trim()) {
      case 'user create':
        return await createUserAs(db, config, third, values)
      case 'user list':
        return await printUsers(db)
      case 'user code':
        return await handOverCodeTo(db, config, third)
      case 'key create':
        return await createKeyFor(db, third, values)
      case 'key list':
        return await printKeys(db, third)
      case 'key disable':
        return await disableKey(db, third, 'disabled')
      case 'key enable':
        return await disableKey(db, third, 'active')
      case 'objects adopt':
        return await adopt(db, config, positionals.slice(2), values)
      case 'objects list':
        return await printObjects(db, third)
      case 'usage':
        return await printUsage(db, values)
      case 'backup':
        return await backup(storage, second)
      case 'import':
        return await importFile(db, config, needed(second, 'FILE'))
      default:
        throw new Refusal('body_invalid', USAGE)
    }
  } finally {
    await storage.close()
  }
}

function checkConfig(config: Config) {
  console.log(JSON.stringify(redacted(config), null, 2))
  for (const { path, message } of warningsOf(config, { ...knownPrices(config), listens: true })) {
    console.error(`warning: ${path}: ${message}`)
  }
}

try {
  await run(process.argv.slice(2))
} catch (cause) {
  console.error(problemOf(cause))
  process.exitCode = cause instanceof ConfigError || cause instanceof NoConfig ? EXIT_CONFIG : 1
}
