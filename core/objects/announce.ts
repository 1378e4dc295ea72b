/** The log line of the process that migrates a database to owners of objects: what is refused from now on. */

import type { Logger } from '../ports.ts'
import type { Settings } from '../settings.ts'

const MIGRATION = /_upstream_objects\.sql$/
const FIRST = /^0000_/
const ADOPT_COMMAND = 'npm run cli -- objects adopt ID BACKEND ITCODE'

/** `applied`: what migrate() answered. */
export function announceObjects(
  logger: Pick<Logger, 'info' | 'warn'>,
  applied: readonly string[],
  { unknown }: Settings['objects'],
): void {
  if (unknown !== 'refuse' || !applied.some((name) => MIGRATION.test(name))) return
  const fields = {
    refused: 'containers, files, threads and skills that this gateway did not see made',
    setting: 'objects.unknown',
    command: ADOPT_COMMAND,
  }
  // In a new database nothing worked before, so nobody needs a warning.
  if (applied.some((name) => FIRST.test(name))) logger.info('objects.unknown_refused', fields)
  else logger.warn('objects.unknown_refused', fields)
}
