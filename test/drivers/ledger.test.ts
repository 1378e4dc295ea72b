import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { directLedger } from '../../adapters/drivers/ledger/direct.ts'
import { localLedger } from '../../adapters/drivers/ledger/local.ts'
import { systemClock } from '../../core/clock.ts'
import { usageHourly, usageLogs } from '../../core/db/schema.ts'
import type { CallRecord, Db } from '../../core/ports.ts'
import { ledgerContract } from '../contracts/ledger.ts'
import { keptLogs } from '../support/logs.ts'
import { admission, callRecord } from '../support/records.ts'
import { fileStore, type OpenedStore, temporaryFolder } from '../support/stores.ts'

const settings = { period: 'monthly', failClosed: false, clock: systemClock } as const

ledgerContract('direct', async (db) => directLedger({ db, ...settings, logger: keptLogs() }))

/** Each database has its own journal, also when it is opened again. */
const folders = new WeakMap<Db, string>()
ledgerContract('local', (db) => {
  const folder = folders.get(db) ?? temporaryFolder().path
  folders.set(db, folder)
  return localLedger({ db, folder, ...settings, logger: keptLogs() })
})

describe('the journal of the local ledger', () => {
  let store: OpenedStore
  const folder = () => temporaries.path
  let temporaries: ReturnType<typeof temporaryFolder>
  beforeEach(async () => {
    store = await fileStore()
    temporaries = temporaryFolder()
  })
  afterEach(async () => {
    await store.close()
    temporaries.remove()
  })
  const open = (db: Db = store.db, logger = keptLogs()) =>
    localLedger({ db, folder: folder(), ...settings, logger })
  /** As a process that was killed would leave it. */
  const leave = (name: string, records: CallRecord[], tail = '') => {
    const lines = records.map((record) => JSON.stringify(record)).map((json) => `${sum(json)} ${json}\n`)
    writeFileSync(join(folder(), name), lines.join('') + tail)
  }
  const sum = (json: string) => crc32(json).toString(16).padStart(8, '0')
  const rows = () => store.db.select().from(usageLogs)
  const DEAD = 'usage-999999999.journal'

  test('is replayed at the next start; the last line of a call counts, and a call without an end is interrupted', async () => {
    const [done, cut] = [callRecord(), callRecord({ outcome: 'interrupted', estimated: true })]
    leave(DEAD, [{ ...done, outcome: 'interrupted' }, cut, done])
    await (await open()).close()
    expect((await rows()).map(({ requestId, outcome }) => [requestId, outcome]).sort()).toEqual(
      [
        [done.id, 'ok'],
        [cut.id, 'interrupted'],
      ].sort(),
    )
    expect(readdirSync(folder())).toEqual([])
  })

  test('read twice doubles nothing', async () => {
    const records = [callRecord(), callRecord()]
    for (let i = 0; i < 2; i++) {
      leave(DEAD, records)
      await (await open()).close()
    }
    expect(await rows()).toHaveLength(2)
    expect(await store.db.select().from(usageHourly)).toMatchObject([{ requests: 2, costMicros: 1000 }])
  })

  test('a torn or damaged line is put aside alone, and reported', async () => {
    const [good, bad] = [callRecord(), callRecord()]
    const flipped = `${sum(JSON.stringify(bad))} ${JSON.stringify({ ...bad, costMicros: 999_999 })}\n`
    leave(DEAD, [good], `${flipped}0badc0de {"id":"req_torn","user`)
    const logger = keptLogs()
    await (await open(store.db, logger)).close()
    expect((await rows()).map(({ requestId }) => requestId)).toEqual([good.id])
    expect(readFileSync(join(folder(), 'damaged.journal'), 'utf8').split('\n')).toHaveLength(3)
    expect(logger.lines).toContainEqual({
      level: 'warn',
      event: 'journal.replayed',
      fields: { records: 1, damaged: 2 },
    })
  })

  test('holds a call before its answer ends, and forgets it when the database has it', async () => {
    const ledger = await open()
    const call = admission()
    await ledger.reserve(call)
    ledger.note({ ...call.begun, outputTokens: 99 })
    const text = () =>
      readdirSync(folder())
        .map((name) => readFileSync(join(folder(), name), 'utf8'))
        .join('')
    expect(text()).toContain('"outputTokens":99')
    await ledger.settle({ ...call.begun, outcome: 'ok' })
    await expect.poll(text).toBe('')
    await ledger.close()
    expect(readdirSync(folder())).toEqual([])
  })

  test('keeps what a broken database did not take, and writes it when it works again', async () => {
    const logger = keptLogs()
    let broken = true
    const flaky = new Proxy(store.db, {
      get(target, name) {
        if (name === 'batch' && broken) return () => Promise.reject(new Error('disk I/O error'))
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const ledger = await open(flaky, logger)
    const calls = [admission(), admission()]
    for (const call of calls) {
      expect(await ledger.reserve(call)).toMatchObject({ ok: true })
      await ledger.settle(call.begun)
    }
    await expect.poll(() => ledger.healthy()).toBe(false)
    broken = false
    await expect.poll(() => ledger.healthy(), { timeout: 5_000 }).toBe(true)
    await expect.poll(async () => (await rows()).length).toBe(2)
    expect(logger.lines.filter(({ event }) => event === 'ledger.database_failed')).toHaveLength(1)
    await ledger.close()
  })

  test('leaves the file of a living process alone', async () => {
    const living = `usage-${process.ppid}.journal`
    appendFileSync(join(folder(), living), 'its business\n')
    await (await open()).close()
    expect(readdirSync(folder())).toEqual([living])
  })
})
