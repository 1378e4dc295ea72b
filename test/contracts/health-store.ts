/** What every HealthStore must do. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Health } from '../../core/backends/health.ts'
import type { HealthStore } from '../../core/ports.ts'

const record = (revision: number): Health => ({
  state: 'healthy',
  failures: revision,
  until: 0,
  reason: '',
  revision,
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
    test('lets exactly one of many writers win, the first time and over a record', async () => {
      const race = (seen: Health | undefined, next: Health) =>
        Promise.all(Array.from({ length: 50 }, () => store.swap('a', seen, next)))
      expect((await race(undefined, record(1))).filter(Boolean)).toHaveLength(1)
      expect((await race(record(1), record(2))).filter(Boolean)).toHaveLength(1)
    })
  })
}
