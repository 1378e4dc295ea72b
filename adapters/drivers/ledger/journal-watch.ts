/** Notices that a living process's journal was removed or replaced, and begins a new one; warns of a folder that grows. */
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Outage } from '../../../core/outage.ts'
import type { Clock, Logger } from '../../../core/ports.ts'
import type { Journal } from './journal.ts'
import { lockPath } from './journal-files.ts'
import { type FileLock, lockFile } from './journal-lock.ts'

const LOOK_MS = 1_000
/** Half a million records. With the database at hand the folder holds a few MB. */
const LARGE_BYTES = 256 * 1024 * 1024

interface Parts {
  folder: string
  /** Name of this process's own journal. */
  name: string
  journal: Journal
  disk: Outage
  clock: Clock
  logger: Pick<Logger, 'warn'>
}

/** The returned function ends the watch and frees the locks of journals that it began. */
export function watchJournal({ folder, name, journal, disk, clock, logger }: Parts): () => void {
  const locks: FileLock[] = []
  let isLarge = false
  let cancel = () => {}
  let stopped = false

  async function renew() {
    disk.failed(new Error(`the journal in ${folder} was removed or replaced`))
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (!existsSync(lockPath(folder, name))) {
      // Other processes would take the new journal for one that a dead process left.
      const lock = await lockFile(lockPath(folder, name))
      if (!lock) return
      locks.push(lock)
    }
    journal.renew()
  }
  function warnIfLarge() {
    const bytes = readdirSync(folder).reduce((sum, file) => sum + sizeOf(join(folder, file)), 0)
    if (bytes > LARGE_BYTES && !isLarge) logger.warn('journal.large', { folder, bytes })
    isLarge = bytes > LARGE_BYTES
  }
  async function look() {
    try {
      if (journal.present() && existsSync(lockPath(folder, name))) warnIfLarge()
      else await renew()
    } catch (cause) {
      disk.failed(cause)
    }
    if (!stopped) cancel = clock.after(LOOK_MS, () => void look())
  }
  cancel = clock.after(LOOK_MS, () => void look())
  return () => {
    stopped = true
    cancel()
    for (const lock of locks) lock.remove()
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
