/** Lines of the journal, and the journal files that dead processes left. */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { StoredRecord } from '../../../core/reports/write.ts'

const FILE_NAME = /^usage-(\d+)(?:-(\d+))?\.journal$/

export function lineOf(json: string): string {
  return `${checksum(json)} ${json}\n`
}

export interface Batch {
  /** Request id → text of the record. */
  records: Map<string, string>
  /** Number of invalid lines, which were copied to `damaged.journal`. */
  damaged: number
}

/**
 * The records of a file in batches, its last line first. The first line of a request that is returned is its newest; older
 * ones may follow in later batches, and the database ignores them.
 */
export function* recordsOf(path: string, size: number): Generator<Batch> {
  let batch: Batch = { records: new Map(), damaged: 0 }
  for (const line of readFileSync(path, 'utf8').split('\n').reverse()) {
    if (line === '') continue
    const record = readLine(line)
    if (!record) {
      batch.damaged += 1
      appendFileSync(join(dirname(path), 'damaged.journal'), `${line}\n`, { mode: 0o600 })
    } else if (!batch.records.has(record.id)) batch.records.set(record.id, record.json)
    if (batch.records.size === size) {
      yield batch
      batch = { records: new Map(), damaged: 0 }
    }
  }
  yield batch
}

/** The files that dead processes left in `folder`, newest first. */
export function filesLeft(folder: string): string[] {
  return list(folder)
    .filter((name) => !ownedByLivingProcess(name))
    .sort((one, other) => generationOf(other) - generationOf(one))
    .map((name) => join(folder, name))
}

function readLine(line: string): { id: string; json: string } | undefined {
  const json = line.slice(9)
  if (checksum(json) !== line.slice(0, 8)) return undefined
  try {
    const parsed = StoredRecord.safeParse(JSON.parse(json))
    return parsed.success ? { id: parsed.data[0], json } : undefined
  } catch {
    return undefined
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => FILE_NAME.test(name))
  } catch {
    return []
  }
}

function generationOf(name: string): number {
  return Number(FILE_NAME.exec(name)?.[2] ?? 0)
}

/** Whether a live process owns the file. A file with our own process id is from an earlier start, as ids repeat in containers. */
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
