/** A database that is away for long loses no row. That it fills no memory takes minutes: ../long/journal-room.test.ts. */
import fs, { readdirSync, rmSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { usageHourly, usageLogs } from '../../core/db/schema.ts'
import { awayDatabase, settleMany } from '../support/away-database.ts'
import { admission } from '../support/records.ts'

/** More than two files that are set aside, and some rows in memory. */
const MANY = 20_500

describe('while the database is away', () => {
  let away: Awaited<ReturnType<typeof awayDatabase>>
  beforeEach(async () => {
    away = await awayDatabase()
  })
  afterEach(() => away.stop())

  const billed = async () => {
    const sums = await away.db.select().from(usageHourly)
    return sums.reduce((total, { requests }) => total + requests, 0)
  }

  test('rows wait on the disk, and each is there once when the database is back, also of a call that went on meanwhile', async () => {
    const ledger = await away.open()
    const long = admission()
    await ledger.reserve(long)
    ledger.update({ ...long.begun, outcome: 'interrupted' })
    await settleMany(ledger, MANY)
    expect(away.files()).toHaveLength(3)
    away.comesBack()
    await expect.poll(away.rows, { timeout: 20_000 }).toBe(MANY)
    await ledger.settle({ ...long.begun, outcome: 'ok', outputTokens: 99 })
    await ledger.close()
    const ofLong = away.db.select().from(usageLogs).where(eq(usageLogs.requestId, long.begun.id))
    expect(await ofLong).toMatchObject([{ outcome: 'ok', outputTokens: 99 }])
    expect([await away.rows(), await billed()]).toEqual([MANY + 1, MANY + 1])
    expect(readdirSync(away.folder)).toEqual([])
  })

  test('rows wait on the disk also while it cannot be read, and a file that somebody removed is told', async () => {
    const ledger = await away.open()
    await settleMany(ledger, MANY)
    const [first = '', second = ''] = away.files().map((name) => join(away.folder, name))
    rmSync(second)
    const reading = vi.spyOn(fs, 'readFileSync').mockImplementation(() => {
      throw new Error('EMFILE: too many open files')
    })
    syncBuiltinESMExports()
    away.comesBack()
    const readings = () => reading.mock.calls.filter(([path]) => path === first).length
    await expect.poll(readings, { timeout: 20_000 }).toBeGreaterThan(2)
    reading.mockRestore()
    syncBuiltinESMExports()
    await expect.poll(away.rows, { timeout: 20_000 }).toBe(MANY - 10_000)
    const lost = () => away.logs.lines.filter(({ event }) => event === 'ledger.records_lost')
    await expect.poll(lost).toMatchObject([{ fields: { journal: second } }])
    await ledger.close()
    expect(readdirSync(away.folder)).toEqual([])
  }, 60_000)

  test('what waits on the disk when the process ends is there after the next start', async () => {
    const ledger = await away.open()
    const long = admission()
    await ledger.reserve(long)
    ledger.update({ ...long.begun, outcome: 'interrupted' })
    await settleMany(ledger, MANY)
    await ledger.settle({ ...long.begun, outcome: 'ok', outputTokens: 99 })
    await ledger.close()
    away.comesBack()
    await (await away.open()).close()
    const ofLong = away.db.select().from(usageLogs).where(eq(usageLogs.requestId, long.begun.id))
    expect(await ofLong).toMatchObject([{ outcome: 'ok', outputTokens: 99 }])
    expect([await away.rows(), await billed()]).toEqual([MANY + 1, MANY + 1])
    expect(readdirSync(away.folder)).toEqual([])
  })
})
