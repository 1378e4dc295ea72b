/** Requests per minute, on each ledger whose clock a test can move. Redis counts by a clock of its own. */
import { databaseLedger } from '../../adapters/drivers/ledger/database.ts'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { primaryLedger } from '../../adapters/drivers/ledger/primary.ts'
import type { Clock, Db, Ledger } from '../../core/ports.ts'
import { minuteContract } from '../contracts/minute.ts'
import { keptLogs } from '../support/logs.ts'
import { memoryStore } from '../support/memory-store.ts'
import { startPrimary } from '../support/primary.ts'

const partsOf = (db: Db, clock: Clock) => {
  const logger = keptLogs()
  return {
    db,
    records: directRecords({ db, logger }),
    failClosed: false,
    clock,
    logger,
  } as const
}
/** On a database of its own. */
const fresh = (open: (parts: ReturnType<typeof partsOf>) => Promise<Ledger>) => async (clock: Clock) => {
  const store = await memoryStore()
  const { reserve } = await open(partsOf(store.db, clock))
  return { reserve, close: async () => store.close() }
}

minuteContract('local', fresh(localLedger))
minuteContract('database', fresh(databaseLedger), 15)
minuteContract(
  'the primary process',
  async (clock) => {
    const primary = await startPrimary(clock)
    const channel = await primary.channel()
    const { reserve, close } = await fresh((parts) => primaryLedger({ ...parts, channel }))(clock)
    return {
      reserve,
      async close() {
        await close()
        await primary.stop()
      },
    }
  },
  15,
)
