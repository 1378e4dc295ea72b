/**
 * The files of journals. A process names its own after the database and itself:
 * `usage-<database>-<process>-<generation>.journal`, and beside them the lock `usage-<database>-<process>.lock`.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FileLock, lockFile } from './journal-lock.ts'

const FILE_NAME = /^(usage-(?:([0-9a-f]{16})-[0-9a-f]{8}|\d+))(?:-(\d+))?\.(?:journal|lock)$/

/** What one process wrote. */
export interface JournalFiles {
  /** What the names of its files begin with. */
  name: string
  /** The database that its records belong to; undefined for journals of releases that named them after process ids. */
  database: string | undefined
  /** Paths, newest first. */
  files: string[]
}

/** All journals in the folder, in the order of their names. None if there is no folder. */
export function journalsIn(folder: string): JournalFiles[] {
  const journals = new Map<string, JournalFiles>()
  for (const file of namesIn(folder).sort((one, other) => generationOf(other) - generationOf(one))) {
    const [, name, database] = FILE_NAME.exec(file) ?? []
    if (name === undefined) continue
    const journal = journals.get(name) ?? { name, database, files: [] }
    journals.set(name, journal)
    if (file.endsWith('.journal')) journal.files.push(join(folder, file))
  }
  return [...journals.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
}

export function journalPath(folder: string, name: string, generation: number): string {
  return join(folder, `${name}-${generation}.journal`)
}

export function lockPath(folder: string, name: string): string {
  return join(folder, `${name}.lock`)
}

/** A name for the journal of this process, and its lock. */
export async function ownName(folder: string, database: string): Promise<{ name: string; lock: FileLock }> {
  for (;;) {
    const name = `usage-${database}-${crypto.randomUUID().slice(0, 8)}`
    const lock = await lockFile(lockPath(folder, name))
    // Another process that looks for journals of dead ones may have been quicker.
    if (lock) return { name, lock }
  }
}

function generationOf(file: string): number {
  return Number(FILE_NAME.exec(file)?.[3] ?? 0)
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
