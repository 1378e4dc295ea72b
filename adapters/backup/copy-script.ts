/** `node copy-script.ts DATABASE FILE`: copies a database that is in use, checks the copy and has it on the disk at the end. */
import { chmodSync, closeSync, fsyncSync, openSync } from 'node:fs'
import Database from 'libsql'
import * as z from 'zod'

const Result = z.tuple([z.looseObject({ quick_check: z.string() })])

const [, , path = '', file = ''] = process.argv
const source = new Database(path)
source.prepare('vacuum into ?').run(file)
chmodSync(file, 0o600)
const copy = new Database(file)
const [{ quick_check: found }] = Result.parse(copy.pragma('quick_check(1)'))
if (found !== 'ok') throw new Error(`the copy is damaged: ${found}`)
const written = openSync(file, 'r')
fsyncSync(written)
closeSync(written)
