/**
 * An append-only file of usage records on their way to the database. Appended records survive kill -9. Each line is a CRC-32
 * and a record; the last line of a request counts, so reading a file twice gives the same records.
 */
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
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
  onError: (cause: unknown) => void
  onWritten: () => void
}): Journal {
  const { folder, name, fsync, onError, onWritten } = parts
  let generation = 0
  let file = openFile(journalPath(folder, name, generation))
  if (fsync) file.syncNow()
  /** Size of the file when it was begun. */
  let bytesKept = 0
  const unstored = new Map<string, string>()

  /** Switches to a new file that begins with `lines` and returns the old one. Throws, without any change, if it cannot. */
  function startFile(lines: Iterable<string>): JournalFile {
    const next = openFile(journalPath(folder, name, generation + 1))
    try {
      next.append([...lines].join(''))
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
  const synced = oneForMany(() => file.sync().then(onWritten, onError))
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

interface JournalFile {
  path: string
  /** Throws if the disk takes only a part or nothing. */
  append(text: string): void
  /** Resolves when the disk has what was appended; the file may be closed meanwhile. Rejects if the disk fails. */
  sync(): Promise<void>
  syncNow(): void
  bytes(): number
  /** False if an append failed since the file was last empty. */
  complete(): boolean
  /** Whether the path still leads to this file. */
  present(): boolean
  empty(): void
  close(): void
  remove(): void
}

function openFile(path: string): JournalFile {
  const fd = openSync(path, 'a', 0o600)
  const { ino } = fstatSync(fd)
  let bytes = 0
  let complete = true
  let torn = false
  let inUse: Promise<void> | undefined
  const close = () => {
    if (!inUse) return closeSync(fd)
    const closeNow = () => closeSync(fd)
    void inUse.then(closeNow, closeNow)
  }
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
    async sync() {
      inUse = new Promise<void>((resolve, reject) => {
        fdatasync(fd, (cause) => (cause ? reject(cause) : resolve()))
      })
      return inUse
    },
    syncNow() {
      fsyncSync(fd)
      const directory = openSync(dirname(path), 'r')
      fsyncSync(directory)
      closeSync(directory)
    },
    bytes: () => bytes,
    complete: () => complete,
    present: () => statSync(path, { throwIfNoEntry: false })?.ino === ino,
    empty() {
      if (bytes > 0) ftruncateSync(fd, 0)
      bytes = 0
      complete = true
      torn = false
    },
    close,
    remove() {
      close()
      unlinkSync(path)
    },
  }
}
