/** One file of a journal. */
import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

export interface JournalFile {
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

export function openFile(path: string): JournalFile {
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
