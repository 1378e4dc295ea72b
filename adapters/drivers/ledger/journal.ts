/**
 * An append-only file of usage records on their way to the database. What was appended survives kill -9.
 * Each line is a CRC-32 and a record; of the lines of one request the last counts. Read again, it yields the same.
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { CallRecord } from '../../../core/ports.ts'
import { recordText } from '../../../core/reports/write.ts'
import { lineOf } from './journal-lines.ts'

/** A call that ends within this time never has the line of its beginning written: its end says it all. */
const BEGIN_MS = 20
const ROTATE_BYTES = 8 * 1024 * 1024

/** A file of the journal that nothing is appended to any more, because the database was away for long. */
export interface SetAside {
  path: string
  /** Calls whose last line stands in a later file. */
  unfinished: ReadonlySet<string>
}

export interface Journal {
  /** Appends within 20 ms, together with others, unless more is appended of the call before: for what need not be there at once. */
  begin(record: CallRecord): void
  /** Appends now, and stays responsible for the record until it is `stored`. */
  append(id: string, json: string): void
  /** The database has these: the journal may forget them. */
  stored(ids: readonly string[]): void
  /**
   * Begins a new file and forgets the records with these ids, which then stand in the old file alone. Undefined, and
   * nothing is forgotten, while the disk takes no writes.
   */
  setAside(ids: readonly string[]): SetAside | undefined
  close(): void
}

/** Opens this process's journal. `onError` hears of a disk that takes no writes; calls go on without the journal then. */
export function openJournal(
  folder: string,
  onError: (cause: unknown) => void,
  onWritten: () => void,
): Journal {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  let generation = 0
  let file = openFile(folder, generation)
  /** Of the file when it was begun. */
  let bytesKept = 0
  const unstored = new Map<string, string>()
  const begun = new Map<string, CallRecord>()
  let beginTimer: NodeJS.Timeout | undefined

  function write(text: string) {
    try {
      file.append(text)
      onWritten()
    } catch (cause) {
      onError(cause)
    }
  }
  function remembered(id: string, json: string): string {
    const line = lineOf(json)
    unstored.set(id, line)
    return line
  }
  function writeBegun() {
    beginTimer = undefined
    let text = ''
    for (const [id, record] of begun) text += remembered(id, recordText(record))
    begun.clear()
    if (text) write(text)
  }
  /** Goes on in a new file that has these lines; the old one is left as it is. Throws, and changes nothing, if it cannot. */
  function startFile(lines: Iterable<string>): JournalFile {
    const next = openFile(folder, generation + 1)
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
  /** Drops the lines of what is stored. */
  const rotate = () => startFile(unstored.values()).remove()

  return {
    begin(record) {
      begun.set(record.id, record)
      beginTimer ??= setTimeout(writeBegun, BEGIN_MS)
    },
    append(id, json) {
      begun.delete(id)
      write(remembered(id, json))
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
        // A disk that was full for a while did not take all of them.
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
      clearTimeout(beginTimer)
      writeBegun()
      file.close()
      if (unstored.size === 0) rmSync(file.path, { force: true })
    },
  }
}

interface JournalFile {
  path: string
  /** Throws when the disk takes nothing, or only a part. */
  append(text: string): void
  bytes(): number
  /** Whether it has all that was ever to be appended. */
  complete(): boolean
  empty(): void
  close(): void
  remove(): void
}

function openFile(folder: string, generation: number): JournalFile {
  const path = join(folder, `usage-${process.pid}${generation ? `-${generation}` : ''}.journal`)
  const fd = openSync(path, 'a', 0o600)
  let bytes = 0
  let complete = true
  let torn = false
  return {
    path,
    append(text) {
      // After half a line the next one stands by itself.
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
