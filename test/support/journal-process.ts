/** Run as a process of its own: admits a call on a database (first argument) with a journal (second), prints its id, and stays. */

import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { openFile } from '../../adapters/drivers/storage/libsql.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import { keptLogs } from './logs.ts'
import { admission } from './records.ts'

const [path = '', folder = ''] = process.argv.slice(2)
const { db } = await openFile(path)
const parts = { db, turn: createTurn(), clock: systemClock, logger: keptLogs() }
const records = await journalledRecords({ ...parts, folder })
const ledger = await localLedger({ ...parts, records, failClosed: false })
const call = admission({ record: { createdAt: Date.now() } })
await ledger.reserve(call)
await parts.turn.written()
console.log(call.begun.id)
setInterval(() => {}, 60_000)
