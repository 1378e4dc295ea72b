/**
 * An append-only file of usage records on their way to the database. Records survive kill -9 from the end of the turn on in which
 * they are appended: its lines are one write. Each line is a CRC-32 and a record; the last line of a request counts, so reading a
 * file twice gives the same records.
 */
import { rmSync } from 'node:fs'
import type { Turn } from '../turn.ts'
import { type JournalFile, openFile } from './journal-file.ts'
import { journalPath } from './journal-files.ts'
import { lineOf } from './journal-lines.ts'

const ROTATE_BYTES = 8 * 1024 * 1024

/** A journal file that is closed for appends, because the database was unavailable for long. */
export interface SetAside {
  path: string
  /** Ids of calls whose last line is in a later file. */
  unfinished: ReadonlySet<string>
}

export interface Journal {
  /** Appends at the end of the turn, and keeps the record until it is `stored`. */
  append(id: string, json: string): void
  /** Writes now what is to be appended. */
  write(): void
  /** Resolves when all that was appended is on the disk itself, or the disk has failed. */
  synced(): Promise<void>
  /** Releases records that the database has. */
  stored(ids: readonly string[]): void
  /**
   * Begins a new file and releases the records with these ids, which are then only in the old file. Undefined, without any
   * change, if the disk cannot be written.
   */
  setAside(ids: readonly string[]): SetAside | undefined
  /** Size of the file. */
  bytes(): number
  /** False when somebody removed or replaced the file. */
  present(): boolean
  /** Begins a new file, because the present one is gone. Throws if the disk cannot be written. */
  renew(): void
  close(): void
}

/**
 * Opens the journal of this process in `folder` under `name`. `onError` is called if the disk cannot be written; calls continue
 * without the journal.
 */
export function openJournal(parts: {
  folder: string
  name: string
  /** Whether new files are synced before older ones are removed. */
  fsync: boolean
  turn: Turn
  onError: (cause: unknown) => void
  onWritten: () => void
}): Journal {
  const { folder, name, fsync, turn, onError, onWritten } = parts
  let generation = 0
  let file = openFile(journalPath(folder, name, generation))
  if (fsync) file.syncNow()
  /** Size of the file when it was begun. */
  let bytesKept = 0
  const unstored = new Map<string, string>()
  const lines = gathered(turn, (text) => {
    try {
      file.append(text)
      onWritten()
    } catch (cause) {
      onError(cause)
    }
  })
  /** Switches to a new file that begins with these lines and returns the old one. Throws, without any change, if it cannot. */
  function startFile(kept: Iterable<string>): JournalFile {
    lines.write()
    const next = openFile(journalPath(folder, name, generation + 1))
    try {
      next.append([...kept].join(''))
      if (fsync) next.syncNow()
    } catch (cause) {
      next.remove()
      throw cause
    }
    const old = file
    file = next
    generation += 1
    bytesKept = next.bytes()
    return old
  }
  const synced = oneForMany(() => {
    lines.write()
    return file.sync().then(onWritten, onError)
  })
  /** Replaces the file with one that has only the records not stored yet. */
  const rotate = () => startFile(unstored.values()).remove()

  return {
    append(id, json) {
      const line = lineOf(json)
      unstored.set(id, line)
      lines.add(line)
    },
    write: lines.write,
    synced,
    stored(ids) {
      for (const id of ids) unstored.delete(id)
      try {
        if (unstored.size === 0) {
          file.empty()
          bytesKept = 0
        } else if (file.bytes() > bytesKept + ROTATE_BYTES) rotate()
      } catch (cause) {
        onError(cause)
      }
    },
    setAside(ids) {
      try {
        // Lines may be missing in the file after the disk was full.
        if (!file.complete()) rotate()
        const kept = new Map(unstored)
        for (const id of ids) kept.delete(id)
        const old = startFile(kept.values())
        old.close()
        for (const id of ids) unstored.delete(id)
        return { path: old.path, unfinished: new Set(kept.keys()) }
      } catch (cause) {
        onError(cause)
        return undefined
      }
    },
    bytes: () => file.bytes(),
    present: () => file.present(),
    renew() {
      startFile(unstored.values()).close()
      onWritten()
    },
    close() {
      lines.write()
      file.close()
      if (unstored.size === 0) rmSync(file.path, { force: true })
    },
  }
}

/** Runs `action` for all that ask before it begins; who asks while it runs waits for the next run. */
function oneForMany(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  return function run(): Promise<void> {
    if (!running) {
      running = action().finally(() => {
        running = undefined
      })
      return running
    }
    next ??= running.then(() => {
      next = undefined
      return run()
    })
    return next
  }
}

/** Text that is written as one at the end of the turn, or by `write` before. */
function gathered(turn: Turn, writeText: (text: string) => void) {
  let text = ''
  const write = () => {
    if (text === '') return
    const whole = text
    text = ''
    writeText(whole)
  }
  const due = turn.writer(write)
  return {
    add(more: string) {
      text += more
      due()
    },
    write,
  }
}
