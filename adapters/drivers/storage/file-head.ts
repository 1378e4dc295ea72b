/**
 * Whether a write-ahead log belongs to the database file that it lies beside. SQLite does not ask: it reads any log of that
 * name into the file, so that a file which was copied over another one would be mixed with pages of the other.
 *
 * The gateway keeps a mark in the file's first page (its application id), which begins at random and counts up with every
 * checkpoint. The log has that page with the mark of its file; a log without this page says nothing and is believed.
 * The format: https://www.sqlite.org/fileformat2.html
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const HEAD_BYTES = 100
const MAGIC = 'SQLite format 3\0'
const LOG_HEAD_BYTES = 32
const FRAME_HEAD_BYTES = 24

export interface FileHead {
  mark: number
  /** Whether the file expects a write-ahead log. A backup does not. */
  usesLog: boolean
}

/** The head of an open database file; undefined if it is none. */
export function headOf(fd: number): FileHead | undefined {
  const bytes = readAt(fd, 0, HEAD_BYTES)
  if (bytes.length < HEAD_BYTES || bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined
  return headIn(bytes)
}

/** As headOf, for a file to which this process has no connection: closing a file would free the connection's locks. */
export function headAt(path: string): FileHead | undefined {
  return withFile(path, headOf)
}

/** Whether there is a log with at least one page, so that SQLite would read it. */
export function hasPages(log: string): boolean {
  return withFile(log, (fd) => !framesOf(fd).next().done) ?? false
}

/** Whether this log can be of the database file with that head. One that is gone was, because who closed that file removed it. */
export function belongsTo(log: string, head: FileHead): boolean {
  const marks = withFile(log, (fd) => new Set([...framesOf(fd)].flatMap((mark) => mark ?? [])))
  return marks === undefined || (head.usesLog && (marks.size === 0 || marks.has(head.mark)))
}

/** For each page in a log: the mark, or undefined if it is not the first page of the database. */
function* framesOf(fd: number): Generator<number | undefined> {
  const head = readAt(fd, 0, LOG_HEAD_BYTES)
  if (head.length < LOG_HEAD_BYTES || head.readUInt32BE(0) >>> 1 !== 0x377f0682 >>> 1) return
  const pageBytes = head.readUInt32BE(8)
  const frameBytes = FRAME_HEAD_BYTES + pageBytes
  const { size } = fstatSync(fd)
  for (let at = LOG_HEAD_BYTES; at + frameBytes <= size; at += frameBytes) {
    const frame = readAt(fd, at, FRAME_HEAD_BYTES + HEAD_BYTES)
    // Frames of an earlier use of the log have other salts.
    if (!frame.subarray(8, 16).equals(head.subarray(16, 24))) return
    yield frame.readUInt32BE(0) === 1 ? headIn(frame.subarray(FRAME_HEAD_BYTES)).mark : undefined
  }
}

function headIn(page: Buffer): FileHead {
  return { mark: page.readInt32BE(68), usesLog: page[18] === 2 && page[19] === 2 }
}

function readAt(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  return bytes.subarray(0, readSync(fd, bytes, 0, length, position))
}

/** Undefined if there is no such file, because another process may remove a log at any time. */
function withFile<T>(path: string, action: (fd: number) => T): T | undefined {
  const fd = openedOrNone(path)
  if (fd === undefined) return undefined
  try {
    return action(fd)
  } finally {
    closeSync(fd)
  }
}

function openedOrNone(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw cause
  }
}
