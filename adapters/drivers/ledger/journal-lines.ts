/** Lines of the journal. */
import { appendFileSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { parseRecord } from '../../../core/reports/stored-record.ts'

export function lineOf(json: string): string {
  return `${checksum(json)} ${json}\n`
}

export interface Batch {
  /** Request id → text of the record. */
  records: Map<string, string>
  /** Number of invalid lines. */
  damaged: number
}

/**
 * The records of a file in batches, its last line first. The first line of a request that is returned is its newest; older
 * ones may follow in later batches, and the database ignores them. Invalid lines are copied to `damaged.journal` once all batches
 * were asked for, so that those of a file that is read again and again are there once.
 */
export function* recordsOf(path: string, size: number): Generator<Batch> {
  let batch: Batch = { records: new Map(), damaged: 0 }
  let damaged = ''
  for (const line of readFileSync(path, 'utf8').split('\n').reverse()) {
    if (line === '') continue
    const record = readLine(line)
    if (!record) {
      batch.damaged += 1
      damaged += `${line}\n`
    } else if (!batch.records.has(record.id)) batch.records.set(record.id, record.json)
    if (batch.records.size === size) {
      yield batch
      batch = { records: new Map(), damaged: 0 }
    }
  }
  yield batch
  if (damaged !== '') appendFileSync(join(dirname(path), 'damaged.journal'), damaged, { mode: 0o600 })
}

function readLine(line: string): { id: string; json: string } | undefined {
  const json = line.slice(9)
  if (checksum(json) !== line.slice(0, 8)) return undefined
  try {
    return { id: parseRecord(json).id, json }
  } catch {
    return undefined
  }
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0')
}
