/**
 * An append-only file of usage records on their way to the database. Appended records survive kill -9. Each line is a CRC-32
 * and a record; the last line of a request counts, so reading a file twice gives the same records.
 */
import { closeSync, ftruncateSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs'
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
  /** Appends now, and keeps the record until it is `stored`. False if the disk cannot be written. */
  append(id: string, json: string): boolean
  /** Releases records that the database has. */
  stored(ids: readonly string[]): void
  /**
   * Begins a new file and releases the records with these ids, which are then only in the old file. Undefined, without any
   * change, if the disk cannot be written.
   */
  setAside(ids: readonly string[]): SetAside | undefined
  close(): void
}

/**
 * Opens the journal of this process in `folder` under `name`. `onError` is called if the disk cannot be written; calls continue
 * without the journal.
 */
export function openJournal(
  folder: string,
  name: string,
  onError: (cause: unknown) => void,
  onWritten: () => void,
): Journal {
  let generation = 0
  let file = openFile(journalPath(folder, name, generation))
  /** Size of the file when it was begun. */
  let bytesKept = 0
  const unstored = new Map<string, string>()

  /** Switches to a new file that begins with `lines` and returns the old one. Throws, without any change, if it cannot. */
  function startFile(lines: Iterable<string>): JournalFile {
    const next = openFile(journalPath(folder, name, generation + 1))
    try {
      next.append([...lines].join(''))
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
  /** Replaces the file with one that has only the records not stored yet. */
  const rotate = () => startFile(unstored.values()).remove()

  return {
    append(id, json) {
      const line = lineOf(json)
      unstored.set(id, line)
      try {
        file.append(line)
        onWritten()
        return true
      } catch (cause) {
        onError(cause)
        return false
      }
    },
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
    close() {
      file.close()
      if (unstored.size === 0) rmSync(file.path, { force: true })
    },
  }
}

interface JournalFile {
  path: string
  /** Throws if the disk takes only a part or nothing. */
  append(text: string): void
  bytes(): number
  /** False if an append failed since the file was last empty. */
  complete(): boolean
  empty(): void
  close(): void
  remove(): void
}

function openFile(path: string): JournalFile {
  const fd = openSync(path, 'a', 0o600)
  let bytes = 0
  let complete = true
  let torn = false
  return {
    path,
    append(text) {
      // A line break separates this text from a line that was written only in part.
      const whole = torn ? `\n${text}` : text
      try {
        const written = writeSync(fd, whole)
        bytes += written
        torn = written < Buffer.byteLength(whole)
        if (torn) throw new Error('the disk took only a part')
      } catch (cause) {
        complete = false
        throw cause
      }
    },
    bytes: () => bytes,
    complete: () => complete,
    empty() {
      if (bytes > 0) ftruncateSync(fd, 0)
      bytes = 0
      complete = true
      torn = false
    },
    close: () => closeSync(fd),
    remove() {
      closeSync(fd)
      unlinkSync(path)
    },
  }
}
