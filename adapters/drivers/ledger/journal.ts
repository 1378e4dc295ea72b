/**
 * An append-only file of usage records on their way to the database. What was appended survives kill -9.
 * Each line is a CRC-32 and a record; of the lines of one request the last counts. Read again, it yields the same.
 */
import {
  appendFileSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { CallRecord } from '../../../core/ports.ts'
import { recordText, StoredRecord } from '../../../core/usage/record.ts'

/** A call that ends within this time never has the line of its beginning written: its end says it all. */
const BEGIN_MS = 20
const ROTATE_BYTES = 8 * 1024 * 1024
const FILE_NAME = /^usage-(\d+)(-\d+)?\.journal$/

export interface Journal {
  /** Appends within 20 ms, together with others, unless more is appended of the call before: for what need not be there at once. */
  begin(record: CallRecord): void
  /** Appends now, and stays responsible for the record until it is `stored`. */
  append(id: string, json: string): void
  /** The database has these: the journal may forget them. */
  stored(ids: readonly string[]): void
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
  const pathOf = () => join(folder, `usage-${process.pid}${generation ? `-${generation}` : ''}.journal`)
  let path = pathOf()
  let fd = openSync(path, 'a', 0o600)
  let bytes = 0
  const unstored = new Map<string, string>()
  const begun = new Map<string, CallRecord>()
  let beginTimer: NodeJS.Timeout | undefined

  function write(text: string) {
    try {
      bytes += writeSync(fd, text)
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
  /** Starts a new file with what is still needed; the old one goes only after the new one holds it all. */
  function rotate() {
    const [oldPath, oldFd] = [path, fd]
    generation += 1
    path = pathOf()
    fd = openSync(path, 'a', 0o600)
    bytes = 0
    write([...unstored.values()].join(''))
    closeSync(oldFd)
    unlinkSync(oldPath)
  }

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
        if (unstored.size === 0 && bytes > 0) {
          ftruncateSync(fd, 0)
          bytes = 0
        } else if (bytes > ROTATE_BYTES) rotate()
      } catch (cause) {
        onError(cause)
      }
    },
    close() {
      clearTimeout(beginTimer)
      writeBegun()
      closeSync(fd)
      if (unstored.size === 0) rmSync(path, { force: true })
    },
  }
}

/** The records that dead processes left in `folder`, the last line of each request, and how to be rid of the files. */
export function readJournals(folder: string): {
  records: Map<string, string>
  damaged: number
  discard(): void
} {
  const records = new Map<string, string>()
  const files = list(folder).filter((name) => !ownedByLivingProcess(name))
  let damaged = 0
  for (const name of files) {
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      if (line === '') continue
      const record = readLine(line)
      if (record) records.set(record.id, record.json)
      else {
        damaged += 1
        appendFileSync(join(folder, 'damaged.journal'), `${line}\n`, { mode: 0o600 })
      }
    }
  }
  const discard = () => {
    // Another process that starts at this moment may have taken it over as well.
    for (const name of files) rmSync(join(folder, name), { force: true })
  }
  return { records, damaged, discard }
}

function lineOf(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`
}

function readLine(line: string): { id: string; json: string } | undefined {
  const json = line.slice(9)
  if (crc32(json).toString(16).padStart(8, '0') !== line.slice(0, 8)) return undefined
  try {
    const parsed = StoredRecord.safeParse(JSON.parse(json))
    return parsed.success ? { id: parsed.data[0], json } : undefined
  } catch {
    return undefined
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => FILE_NAME.test(name))
      .sort()
  } catch {
    return []
  }
}

/** In a container every start has the same process id: a file under our own is one that an earlier start left. */
function ownedByLivingProcess(name: string): boolean {
  const pid = Number(FILE_NAME.exec(name)?.[1])
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
