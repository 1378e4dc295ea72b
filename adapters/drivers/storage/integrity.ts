/** Whether a database file is whole. A small one is checked before it is used, a large one while it is used. */
import { statSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Logger } from '../../../core/ports.ts'
import { runScript } from '../../shared/script.ts'
import { lockFile } from '../ledger/journal-lock.ts'
import type { Sql } from './client.ts'

/** About a tenth of a second. */
const LARGE_BYTES = 64 * 1024 * 1024
const SCRIPT = join(import.meta.dirname, `check-script${extname(import.meta.filename)}`)

export function isLarge(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LARGE_BYTES
}

/** Rejects if the database is damaged. It takes about 2 s for each GB. */
export async function checkIntegrity(database: Sql): Promise<void> {
  const [[found] = []] = (await database.execute({ sql: 'pragma quick_check(1)', args: [] })).rows
  if (found !== 'ok') throw new Error(`the integrity check says: ${found}`)
}

/**
 * Checks a file in a process of its own and logs what is damaged; one process at a time does it for all that use the file. The
 * returned function ends it.
 */
export function checkInBackground(path: string, logger: Pick<Logger, 'info' | 'error'>): () => void {
  let stop = () => {}
  let stopped = false
  async function check() {
    const lock = await lockFile(`${path}.checking`)
    if (!lock) return
    const started = performance.now()
    const script = runScript(SCRIPT, [path])
    stop = script.stop
    try {
      await script.done
      logger.info('database.checked', { path, ms: Math.round(performance.now() - started) })
    } catch (cause) {
      if (stopped) return
      logger.error('database.damaged', { path, cause: String(cause), hint: 'restore a backup' })
    } finally {
      lock.remove()
    }
  }
  void check().catch((cause) => logger.error('database.check_failed', { path, cause: String(cause) }))
  return () => {
    stopped = true
    stop()
  }
}
