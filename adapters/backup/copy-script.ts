/** `node copy-script.ts DATABASE FILE`: copies a database that is in use. */
import { copyDatabase } from './database-copy.ts'

const [, , path = '', file = ''] = process.argv
copyDatabase(path, file)
