/** What workers share through their primary process: the contracts, and what only this way has. */
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { primaryHealth } from '../../adapters/drivers/health/primary.ts'
import { journalledRecords } from '../../adapters/drivers/ledger/journalled.ts'
import { primaryLedger } from '../../adapters/drivers/ledger/primary.ts'
import { answerWorker } from '../../adapters/drivers/primary/channel.ts'
import { type HostedLimits, hostLimits } from '../../adapters/drivers/primary/limits.ts'
import { createTurn } from '../../adapters/drivers/turn.ts'
import { systemClock } from '../../core/clock.ts'
import { HOLD_EXPIRY_MS } from '../../core/limits/decide.ts'
import { createPeriods } from '../../core/limits/period.ts'
import type { Db, Ledger } from '../../core/ports.ts'
import { healthStoreContract } from '../contracts/health-store.ts'
import { ledgerContract, sharedLedgerContract } from '../contracts/ledger.ts'
import { poolContract } from '../contracts/ledger-pools.ts'
import { sharedPoolContract } from '../contracts/ledger-shared-pools.ts'
import { fakeClock } from '../support/clock.ts'
import { keptLogs } from '../support/logs.ts'
import { startPrimary, type TestPrimary } from '../support/primary.ts'
import { admission, callRecord, NO_LIMITS } from '../support/records.ts'
import { temporaryFolder } from '../support/stores.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const settings = { failClosed: false, clock: systemClock } as const

/** Each database has a primary process of its own, and its workers one folder of journals. */
const places = new WeakMap<Db, { folder: string; primary: TestPrimary }>()
async function placeOf(db: Db, primary?: TestPrimary) {
  const made = places.get(db) ?? {
    folder: temporaryFolder().path,
    primary: primary ?? (await startPrimary()),
  }
  places.set(db, made)
  return made
}
async function open(db: Db, given?: TestPrimary): Promise<Ledger> {
  const { folder, primary } = await placeOf(db, given)
  const logger = keptLogs()
  const records = await journalledRecords({ db, folder, turn: createTurn(), clock: systemClock, logger })
  return primaryLedger({ db, records, ...settings, logger, channel: await primary.channel() })
}
const suite = { name: 'the primary process', open: (db: Db) => open(db) }
ledgerContract(suite)
sharedLedgerContract(suite)
poolContract(suite)
sharedPoolContract(suite)

healthStoreContract('of the primary process', async () => {
  const primary = await startPrimary()
  closing.push(primary.stop)
  return primaryHealth(await primary.channel())
})

describe('limits in the primary process', () => {
  const one = { ...NO_LIMITS, concurrentRequests: 1 }
  /** A worker whose journal is `journal`, as the primary sees it. */
  const connected = (limits: HostedLimits, journal: string) => {
    const { handlers, closed } = limits.connect()
    const send = (name: string, body: unknown) => handlers[`limits.${name}`]?.(body)
    return { opened: send('open', journal), send, closed }
  }
  const spent = (worker: ReturnType<typeof connected>, budgetMicros: number) =>
    worker.send(
      'reserve',
      admission({
        user: { ...NO_LIMITS, budgetMicros },
        costMicros: 0,
        record: { createdAt: Date.now() },
      }),
    )
  const used = (costMicros: number, begun = callRecord({ createdAt: Date.now() })) => ({
    ...begun,
    costMicros,
  })
  const MONTH = { period: 'monthly', start: createPeriods('UTC').startsAt(Date.now())[2] }
  const SPENT = { ok: false, limit: 'budget', held: false }

  function twoWorkers(clock = fakeClock(Date.now())) {
    const limits = hostLimits(clock)
    const [dead, living] = [connected(limits, 'usage-a'), connected(limits, 'usage-b')]
    living.send('seed', [])
    return { clock, limits, dead, living }
  }

  test('are taken from the database by the first worker only', () => {
    const limits = hostLimits(fakeClock(Date.now()))
    const first = connected(limits, 'usage-a')
    expect(first.opened).toBe(false)
    first.send('seed', [{ owner: 'user:1', ...MONTH, tokens: 3, micros: 500 }])
    expect(spent(first, 500)).toMatchObject(SPENT)
    expect(connected(limits, 'usage-b').opened).toBe(true)
  })

  test('count what a dead worker had under way as its journal tells it, once, and free its place', () => {
    const { dead, living } = twoWorkers()
    const call = admission({ user: one, record: { createdAt: Date.now() } })
    dead.send('reserve', call)
    dead.closed()
    expect(living.send('reserve', admission({ user: one }))).toMatchObject({
      ok: false,
      limit: 'concurrency',
    })
    for (let i = 0; i < 2; i++) living.send('left', { journal: 'usage-a', record: used(300, call.begun) })
    expect(spent(living, 300)).toMatchObject(SPENT)
    expect(spent(living, 301)).toMatchObject({ ok: true })
  })

  test('do not count again what a worker settled before it died', () => {
    const { dead, living } = twoWorkers()
    const call = admission({ record: { createdAt: Date.now() } })
    dead.send('reserve', call)
    dead.send('settle', used(300, call.begun))
    dead.closed()
    living.send('left', { journal: 'usage-a', record: used(300, call.begun) })
    expect(spent(living, 301)).toMatchObject({ ok: true })
  })

  test('free a call that never reached the journal when that was taken, whichever is heard of first', () => {
    for (const order of [
      ['taken', 'closed'],
      ['closed', 'taken'],
    ]) {
      const { dead, living } = twoWorkers()
      dead.send('reserve', admission({ user: one }))
      for (const event of order) {
        expect(living.send('reserve', admission({ user: one }))).toMatchObject({ ok: false })
        if (event === 'closed') dead.closed()
        else living.send('taken', 'usage-a')
      }
      expect(living.send('reserve', admission({ user: one }))).toMatchObject({ ok: true })
    }
  })

  test('free what a dead worker holds after a while if nobody can take its journal, and count it when somebody does', () => {
    const { clock, dead, living } = twoWorkers()
    const call = admission({ user: one, record: { createdAt: Date.now() } })
    dead.send('reserve', call)
    dead.closed()
    clock.advance(HOLD_EXPIRY_MS - 1)
    expect(living.send('reserve', admission({ user: one }))).toMatchObject({ ok: false })
    clock.advance(1)
    expect(living.send('reserve', admission({ user: one }))).toMatchObject({ ok: true })
    living.send('left', { journal: 'usage-a', record: used(300, call.begun) })
    expect(spent(living, 300)).toMatchObject({ ok: false, limit: 'budget' })
  })

  test('count a call of an earlier primary once, unless the database had it', () => {
    const limits = hostLimits(fakeClock(Date.now()))
    const worker = connected(limits, 'usage-a')
    worker.send('left', { journal: 'usage-old', record: used(100) })
    worker.send('seed', [{ owner: 'user:1', ...MONTH, tokens: 0, micros: 100 }])
    const late = used(300)
    for (let i = 0; i < 2; i++) worker.send('left', { journal: 'usage-old', record: late })
    expect(spent(worker, 400)).toMatchObject(SPENT)
    expect(spent(worker, 401)).toMatchObject({ ok: true })
  })
})

describe('the socket to the primary process', () => {
  const question = (id: number, body: unknown = null) => `${JSON.stringify([['echo', id, body]])}\n`
  const serving = async (answer: (body: unknown) => unknown) => {
    const ends: Duplex[] = []
    const primary = await startPrimary(systemClock, (socket) => {
      ends.push(socket)
      answerWorker(socket, { echo: answer })
    })
    closing.push(primary.stop)
    return { primary, ends }
  }

  test('of a worker that does not read its answers makes the worker wait, not the primary grow', async () => {
    const { primary, ends } = await serving((body) => body)
    const worker = await primary.connect()
    worker.pause()
    const text = 'x'.repeat(1_000)
    for (let i = 1; i <= 50_000; i++) worker.write(question(i, text))
    const isStill = async () => {
      const before = worker.writableLength
      await new Promise((resolve) => setTimeout(resolve, 100))
      return worker.writableLength === before
    }
    await expect.poll(isStill).toBe(true)
    expect(worker.writableLength).toBeGreaterThan(40_000_000)
    expect(ends[0]?.writableLength).toBeLessThan(4_000_000)
    let answers = 0
    worker.on('data', (data) => {
      answers += data.toString().split('\n').length - 1
    })
    worker.resume()
    await expect.poll(() => answers, { timeout: 10_000 }).toBeGreaterThan(0)
    await expect.poll(() => worker.writableLength, { timeout: 10_000 }).toBe(0)
  })

  test('of a worker that floods it keeps no other worker waiting', async () => {
    let flooded = 0
    const { primary } = await serving((body) => {
      if (body === 'flood') flooded += 1
      return body
    })
    const [loud, quiet] = [await primary.connect(), await primary.channel()]
    loud.resume()
    const calls = 100_000
    loud.write(Array.from({ length: calls }, (_, i) => question(i + 1, 'flood')).join(''))
    await expect.poll(() => flooded).toBeGreaterThan(0)
    expect(await quiet.ask('echo', 'quiet')).toBe('quiet')
    expect(flooded).toBeLessThan(calls)
    await expect.poll(() => flooded, { timeout: 10_000 }).toBe(calls)
  })

  test('leads to a primary of the same version only, which says what it does not know', async () => {
    const { primary } = await serving((body) => body)
    const channel = await primary.channel()
    await expect(channel.ask('nothing', 1)).rejects.toThrow('knows no nothing')
    await expect(channel.ask('hello', 0)).rejects.toThrow('another version')
    await primary.stop()
    await expect(channel.ask('echo', 1)).rejects.toThrow()
  })

  test('is closed by a primary that cannot read what comes', async () => {
    const { primary } = await serving((body) => body)
    const worker = await primary.connect()
    worker.write('not JSON\n')
    await once(worker.resume(), 'close')
  })
})
