/** Copies of a database file that is in use. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import Database from 'libsql'
import * as z from 'zod'
import { Refusal } from '../../core/errors.ts'
import { putAsideForeignLog } from '../drivers/storage/left-log.ts'

const BUSY_MS = 5_000
const Result = z.tuple([z.looseObject({ quick_check: z.string() })])

/** Copies to a new file, checks the copy and has it on the disk at the end. Throws what SQLite throws. */
export function copyDatabase(path: string, file: string): void {
  // SQLite would make one that others may read until it is whole; an empty one it takes as it is.
  closeSync(openSync(file, 'wx', 0o600))
  const source = new Database(path)
  try {
    source.exec(`pragma busy_timeout = ${BUSY_MS}`)
    source.prepare('vacuum into ?').run(file)
  } finally {
    source.close()
  }
  const copy = new Database(file)
  try {
    const [{ quick_check: found }] = Result.parse(copy.pragma('quick_check(1)'))
    if (found !== 'ok') throw new Error(`the copy is damaged: ${found}`)
  } finally {
    copy.close()
  }
  const written = openSync(file, 'r')
  fsyncSync(written)
  closeSync(written)
}

/**
 * Makes the backup `file`, which has its name only once it is whole. The database stays as it is, also one of an older version,
 * because whoever backs up before an upgrade has to get back to that version. Throws a Refusal if there is none, or if `file` exists.
 */
export function backUp(path: string, file: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.size) {
    throw new Refusal('not_found', `There is no database ${resolve(path)}.`)
  }
  if (existsSync(file)) throw new Refusal('conflict', `${file} exists already.`)
  putAsideForeignLog(path, { warn: (event, fields) => console.error(event, fields) })
  const part = `${file}.part`
  rmSync(part, { force: true })
  try {
    copyDatabase(path, part)
    renameSync(part, file)
  } finally {
    rmSync(part, { force: true })
  }
}
