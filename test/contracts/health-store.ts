/** What every HealthStore must do. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Health } from '../../core/backends/health.ts'
import { type HealthStore, MOVE_LIFE_MS, type Move } from '../../core/ports.ts'

const record = (revision: number): Health => ({
  state: 'ejected',
  cause: 'failures',
  since: 1,
  until: 2,
  reason: 'answered 529 — überlastet',
  failures: [{ at: revision, person: 3 }],
  doubts: [{ what: 'rate', at: 4, person: 5 }],
  strikes: 1,
  lastTry: { person: 6, endsAt: 7 },
  failedBy: 8,
  checkedAt: { account: 9, model: 10 },
  revision,
})
const NOW = Date.UTC(2026, 10, 25)
const move = (given: Partial<Move> = {}): Move => ({
  person: 1,
  conversation: 2 ** 53 - 1,
  backend: 'a',
  idleUntil: NOW + 300_000,
  ...given,
})

export function healthStoreContract(name: string, make: () => Promise<HealthStore>) {
  describe(`health store: ${name}`, () => {
    let store: HealthStore
    beforeEach(async () => {
      store = await make()
    })
    test('knows nothing at first', async () => {
      expect([...(await store.read())]).toEqual([])
    })
    test('keeps what won, key by key', async () => {
      expect(await store.swap('a', undefined, record(1))).toBe(true)
      expect(await store.swap('a claude-opus-5-5', undefined, record(1))).toBe(true)
      expect(await store.swap('b', undefined, record(1))).toBe(true)
      expect(new Set((await store.read()).keys())).toEqual(new Set(['a', 'a claude-opus-5-5', 'b']))
    })
    test('refuses who has not seen the last record', async () => {
      await store.swap('a', undefined, record(1))
      expect(await store.swap('a', undefined, record(2))).toBe(false)
      expect(await store.swap('a', record(1), record(2))).toBe(true)
      expect(await store.swap('a', record(1), record(3))).toBe(false)
      expect((await store.read()).get('a')).toEqual(record(2))
    })
    test('keeps the last word on each conversation that moved, person by person', async () => {
      expect(await store.movedSince(0)).toEqual([])
      const other = move({ person: 2, backend: 'c' })
      await store.move([move(), other], NOW)
      await store.move([move({ backend: 'b' })], NOW + 1)
      expect(await store.movedSince(NOW + 1)).toEqual([move({ backend: 'b' })])
      const all = (await store.movedSince(NOW)).sort((a, b) => a.person - b.person)
      expect(all).toEqual([move({ backend: 'b' }), other])
    })
    test('takes many moves at once, and forgets them when no cache can live any more', async () => {
      const many = Array.from({ length: 1_234 }, (_, conversation) => move({ conversation }))
      await store.move(many, NOW)
      expect(await store.movedSince(NOW)).toHaveLength(1_234)
      await store.move([move({ person: 7 })], NOW + MOVE_LIFE_MS + 1)
      await store.move([move({ person: 7 })], NOW + MOVE_LIFE_MS + 1)
      expect(await store.movedSince(0)).toEqual([move({ person: 7 })])
    })
    test('lets exactly one of many writers win, the first time and over a record', async () => {
      const race = (seen: Health | undefined, next: Health) =>
        Promise.all(Array.from({ length: 50 }, () => store.swap('a', seen, next)))
      expect((await race(undefined, record(1))).filter(Boolean)).toHaveLength(1)
      expect((await race(record(1), record(2))).filter(Boolean)).toHaveLength(1)
    })
  })
}
