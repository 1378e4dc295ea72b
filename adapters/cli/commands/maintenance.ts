/** Commands about the database as a whole, and about the configuration. */
import { redacted } from '../../../config/redact.ts'
import { warningsOf } from '../../../config/warnings.ts'
import { Refusal } from '../../../core/errors.ts'
import { backUp } from '../../backup/database-copy.ts'
import { knownPrices } from '../../shared/tables.ts'
import { command, configCommand } from '../command.ts'
import { importFile } from './import.ts'
import { restoreFile } from './restore.ts'

export const MAINTENANCE = [
  configCommand({
    name: 'backup',
    args: ['FILE'],
    about: 'writes a copy of the database, while the server runs, too',
    async run({ database }, [file = '']) {
      if (database.url) throw new Refusal('body_invalid', 'A libSQL server is backed up where it runs.')
      backUp(database.path, file)
      return { said: `Backed up to ${file}.`, fields: { file } }
    },
  }),
  configCommand({
    name: 'restore',
    args: ['FILE'],
    about: 'puts a backup in the place of the database, while the server does not run',
    run: (config, [file = '']) => restoreFile(config, file),
  }),
  command({
    name: 'import',
    args: ['FILE'],
    about: 'takes over a gateway.db of the original Go gateway',
    run: ({ db, config, args: [file = ''] }) => importFile(db, config, file),
  }),
  configCommand({
    name: 'check-config',
    about: 'says what is wrong or left open, and prints the settings in force',
    async run(config) {
      for (const { path, message } of warningsOf(config, { ...knownPrices(config), listens: true })) {
        console.error(`warning: ${path}: ${message}`)
      }
      console.log(JSON.stringify(redacted(config), null, 2))
      return undefined
    },
  }),
]
