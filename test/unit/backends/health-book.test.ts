import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../../adapters/drivers/health/memory.ts'
import { createHealthBook } from '../../../core/backends/health-book.ts'
import type { HealthStore } from '../../../core/ports.ts'
import { ANN, BOB, HEALTH } from '../../support/backends.ts'
import { fakeClock } from '../../support/clock.ts'
import { keptLogs } from '../../support/logs.ts'

const KEY = 'a claude-opus-5-5'
const NOW = 1_000_000
const failed = (person: number, at = NOW) =>
  ({ kind: 'failed', at, person, alone: false, trial: false, reason: 'answered 529' }) as const
const EJECTED = { kind: 'ejected', at: NOW, reason: '2 models failed' } as const

function bookOn(store: HealthStore | undefined) {
  const logger = keptLogs()
  const pending: Promise<unknown>[] = []
  const waitUntil = (work: Promise<unknown>) => void pending.push(work)
  const clock = fakeClock(NOW)
  let steps = 0
  const settings = () => {
    steps += 1
    return HEALTH
  }
  const book = createHealthBook({ store, settings, clock, logger, waitUntil })
  const settled = async () => {
    while (pending.length > 0) await Promise.all(pending.splice(0))
  }
  return { book, clock, logger, settled, writes: () => pending.length, steps: () => steps }
}
const storedIn = async (store: HealthStore, key = KEY) => (await store.read()).get(key)

/** A store that is away until `back` is called. */
function unsteady() {
  const store = memoryHealth()
  let away = true
  const guarded = <T>(work: () => Promise<T>) => (away ? Promise.reject(new Error('away')) : work())
  const steady: HealthStore = {
    ...store,
    read: () => guarded(store.read),
    swap: (key, seen, next) => guarded(() => store.swap(key, seen, next)),
  }
  const back = () => {
    away = false
  }
  return { store: steady, back }
}

describe('a record', () => {
  test('counts at once, and tells what was before and after', () => {
    const { book } = bookOn(memoryHealth())
    const first = book.record(KEY, failed(ANN))
    expect(first).toMatchObject({ before: undefined, after: { failures: [{ person: ANN }] } })
    expect(book.record(KEY, failed(BOB))).toMatchObject({
      before: first?.after,
      after: { failures: [{}, {}] },
    })
    expect([book.size(), book.get(KEY)?.failures.length]).toEqual([1, 2])
    expect([...book.entries()]).toEqual([[KEY, book.get(KEY)]])
  })

  test('that changes nothing is none', () => {
    const { book, writes } = bookOn(memoryHealth())
    expect(book.record(KEY, { kind: 'renewed', at: NOW })).toBeUndefined()
    expect([book.size(), writes()]).toEqual([0, 0])
  })

  test('is written to the store, together with others of its key that came while one was written', async () => {
    const store = memoryHealth()
    const swaps: string[] = []
    const { book, settled } = bookOn({
      ...store,
      swap(...given) {
        swaps.push(given[0])
        return store.swap(...given)
      },
    })
    book.record(KEY, failed(ANN))
    book.record('b', EJECTED)
    book.record(KEY, failed(BOB))
    book.record(KEY, failed(ANN))
    await settled()
    expect(await storedIn(store)).toEqual(book.get(KEY))
    expect((await storedIn(store, 'b'))?.state).toBe('ejected')
    expect(swaps).toEqual([KEY, 'b', KEY])
  })

  test('made while another is written follows it', async () => {
    const store = memoryHealth()
    const { book, settled } = bookOn({
      ...store,
      async swap(key, seen, next) {
        if (next.failures.length === 1) book.record(KEY, failed(BOB))
        return store.swap(key, seen, next)
      },
    })
    book.record(KEY, failed(ANN))
    await settled()
    expect((await storedIn(store))?.failures.map(({ person }) => person)).toEqual([ANN, BOB])
    expect(await storedIn(store)).toEqual(book.get(KEY))
  })

  test('is added to what another process wrote first', async () => {
    const store = memoryHealth()
    const here = bookOn(store)
    const there = bookOn(store)
    here.book.record(KEY, failed(ANN))
    there.book.record(KEY, failed(BOB))
    await Promise.all([here.settled(), there.settled()])
    expect((await storedIn(store))?.failures.map(({ person }) => person)).toEqual([ANN, BOB])
    await here.book.refresh()
    expect(here.book.get(KEY)).toEqual(await storedIn(store))
  })

  test('of a process without a store is its own', async () => {
    const { book, writes } = bookOn(undefined)
    book.record(KEY, failed(ANN))
    await book.refresh()
    expect([book.get(KEY)?.failures.length, writes()]).toEqual([1, 0])
  })

  test('is given up once the store was lost five times', async () => {
    const store = memoryHealth()
    let swaps = 0
    const { book, settled } = bookOn({
      ...store,
      swap: async () => {
        swaps += 1
        return false
      },
    })
    book.record(KEY, failed(ANN))
    await settled()
    expect(swaps).toBe(5)
    expect(await storedIn(store)).toBeUndefined()
    await book.refresh()
    expect(book.get(KEY)).toBeUndefined()
  })

  test('that the store does not take waits until the store is back', async () => {
    const { store, back } = unsteady()
    const { book, settled, logger } = bookOn(store)
    book.record(KEY, failed(ANN))
    await settled()
    expect(book.get(KEY)?.failures).toHaveLength(1)
    expect(logger.lines).toEqual([
      { level: 'warn', event: 'health.store_failed', fields: { cause: 'Error: away' } },
    ])
    back()
    await book.refresh()
    await settled()
    expect((await storedIn(store))?.failures.map(({ person }) => person)).toEqual([ANN])
    expect(book.get(KEY)).toEqual(await storedIn(store))
  })

  test('that waits goes before what comes later, and is not tried without end', async () => {
    const { store, back } = unsteady()
    const { book, settled, logger } = bookOn(store)
    book.record(KEY, failed(ANN))
    await settled()
    await expect(book.refresh()).rejects.toThrow('away')
    expect(logger.lines).toHaveLength(1)
    back()
    book.record(KEY, failed(BOB))
    await settled()
    expect((await storedIn(store))?.failures.map(({ person }) => person)).toEqual([ANN, BOB])
  })

  test('costs no more the longer the store is away', async () => {
    const { book, settled, steps } = bookOn(unsteady().store)
    const stepsOf = async (at: number) => {
      const before = steps()
      expect(book.record(KEY, failed(ANN, at))).toBeDefined()
      await settled()
      return steps() - before
    }
    for (let i = 0; i < 300; i++) await stepsOf(NOW + i)
    expect(await stepsOf(NOW + 300)).toBeLessThan(120)
  })

  test('that waited for more than a minute tells nothing of now', async () => {
    const { store, back } = unsteady()
    const { book, clock, settled } = bookOn(store)
    book.record(KEY, failed(ANN))
    await settled()
    clock.advance(60_001)
    back()
    await book.refresh()
    await settled()
    expect([await storedIn(store), book.get(KEY)]).toEqual([undefined, undefined])
  })
})

describe('what other processes know', () => {
  test('is taken over, and forgotten when the store forgets it', async () => {
    const store = memoryHealth()
    const there = bookOn(store)
    there.book.record(KEY, EJECTED)
    await there.settled()
    const { book } = bookOn(store)
    expect(book.get(KEY)).toBeUndefined()
    await book.refresh()
    expect(book.get(KEY)).toEqual(await storedIn(store))
    expect(book.size()).toBe(1)
  })

  test('does not undo what is not written yet', async () => {
    const store = memoryHealth()
    const there = bookOn(store)
    there.book.record(KEY, failed(BOB))
    await there.settled()
    const { book, settled } = bookOn(store)
    book.record(KEY, failed(ANN))
    await book.refresh()
    expect(book.get(KEY)?.failures.map(({ person }) => person)).toContain(ANN)
    await settled()
    await book.refresh()
    expect(book.get(KEY)?.failures.map(({ person }) => person)).toEqual([BOB, ANN])
  })

  test('that was read before an own write does not undo it', async () => {
    const store = memoryHealth()
    const { book, settled } = bookOn({
      ...store,
      async read() {
        const before = await store.read()
        book.record(KEY, failed(ANN))
        await settled()
        return before
      },
    })
    await book.refresh()
    expect(book.get(KEY)?.failures).toHaveLength(1)
    await settled()
  })

  test('holds an event once that was read before its write ended', async () => {
    const store = memoryHealth()
    const ended = Promise.withResolvers<void>()
    const { book, settled } = bookOn({
      ...store,
      async swap(key, seen, next) {
        const won = await store.swap(key, seen, next)
        await ended.promise
        return won
      },
    })
    book.record(KEY, failed(ANN))
    await book.refresh()
    expect(book.get(KEY)?.failures).toHaveLength(1)
    ended.resolve()
    await settled()
    expect(book.get(KEY)).toEqual(await storedIn(store))
  })

  test('is not there to be taken over while the store is away', async () => {
    const { store } = unsteady()
    const { book } = bookOn(store)
    await expect(book.refresh()).rejects.toThrow('away')
  })
})

describe('a claim', () => {
  test('is won by one process', async () => {
    const store = memoryHealth()
    const here = bookOn(store)
    const there = bookOn(store)
    const won = await Promise.all([here.book.claim(KEY, EJECTED), there.book.claim(KEY, EJECTED)])
    expect(won.filter(Boolean)).toHaveLength(1)
    // Who lost knows what the winner did.
    expect([here.book.get(KEY)?.state, there.book.get(KEY)?.state]).toEqual(['ejected', 'ejected'])
  })

  test('of an event that changes nothing is lost', async () => {
    const { book } = bookOn(memoryHealth())
    expect(await book.claim(KEY, EJECTED)).toBe(true)
    expect(await book.claim(KEY, EJECTED)).toBe(false)
  })

  test('waits for what is being written, and keeps what is not written yet', async () => {
    const store = memoryHealth()
    const { book, settled } = bookOn(store)
    book.record(KEY, failed(ANN))
    expect(await book.claim(KEY, { kind: 'checking', what: 'model', at: NOW })).toBe(true)
    await settled()
    expect(await storedIn(store)).toMatchObject({ failures: [{ person: ANN }], checkedAt: { model: NOW } })
    expect(book.get(KEY)).toEqual(await storedIn(store))
  })

  test('without a store is won by the first event that changes something', async () => {
    const { book } = bookOn(undefined)
    expect([await book.claim(KEY, EJECTED), await book.claim(KEY, EJECTED)]).toEqual([true, false])
    expect(book.get(KEY)?.state).toBe('ejected')
  })

  test('is lost while the store is away', async () => {
    const { book, logger } = bookOn(unsteady().store)
    expect(await book.claim(KEY, EJECTED)).toBe(false)
    expect(logger.lines).toEqual([
      { level: 'warn', event: 'health.store_failed', fields: { cause: 'Error: away' } },
    ])
  })
})
