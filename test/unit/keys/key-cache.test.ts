import { eq } from 'drizzle-orm'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import {
  apiKeys,
  grants,
  groupMembers,
  keyRevision,
  spendLimits,
  userChanges,
  users,
} from '../../../core/db/schema.ts'
import { createKeyCache, type KeyCache } from '../../../core/keys/key-cache.ts'
import type { Db } from '../../../core/ports.ts'
import type { Settings } from '../../../core/settings.ts'
import { fakeClock } from '../../support/clock.ts'
import { memoryStore } from '../../support/memory-store.ts'
import { NO_TOKENS } from '../../support/no-tokens.ts'
import { refusalFrom } from '../../support/refusals.ts'

const times = { createdAt: 1, updatedAt: 1 }
const LIMITS = { requestsPerMinute: 60, tokensPerMinute: 1_000, concurrentRequests: 8 }

const store = await memoryStore()
afterAll(() => store.close())
beforeEach(async () => {
  const { db } = store
  for (const table of [grants, apiKeys, users, spendLimits, groupMembers]) await db.delete(table)
  await db.insert(users).values({
    id: 1,
    itcode: 'ann',
    name: '',
    role: 'user',
    status: 'active',
    quotaTokens: 5,
    ...times,
  })
  await addKey(1)
})

const addKey = (id: number, given: Partial<typeof apiKeys.$inferInsert> = {}) => {
  const row = {
    id,
    userId: 1,
    name: '',
    hash: `#key-${id}`,
    prefix: `sk-${id}`,
    last4: '',
    status: 'active',
  } as const
  return store.db.insert(apiKeys).values({ ...row, ...times, ...given })
}

const limitOf = (scopeId: number, amountMicros: number) =>
  ({ scope: 'user', scopeId, period: 'weekly', amountMicros, ...times }) as const

function setUp(db: Db = store.db) {
  const clock = fakeClock()
  const settings = { limits: { ...LIMITS, period: 'weekly' } } as unknown as Settings // what is read of them
  const parts = { db, clock, settings, accessTokens: NO_TOKENS, waitUntil() {} }
  const cache = createKeyCache({ ...parts, sha256: (text) => `#${text}` })
  const codeOf = (...presented: string[]) => refusalFrom(() => cache.find(presented)).code
  return { ...cache, clock, codeOf }
}
/** The caller of a key, or why it is refused. */
function foundBy({ find }: KeyCache, key: string) {
  try {
    // Functions are never equal.
    const { billedTo: _, ...caller } = find([key])
    return caller
  } catch (cause) {
    return cause
  }
}
/** A cache that has read all keys. */
async function filled(db?: Db) {
  const cache = setUp(db)
  await cache.refresh()
  return cache
}

/** A database that answers only once it is told to, and counts how often it was asked. */
function slow() {
  let asked = 0
  let gate = Promise.withResolvers<void>()
  const db = new Proxy(store.db, {
    get: (target, name) => {
      if (name !== 'select') return Reflect.get(target, name)
      asked += 1
      return (...fields: []) => ({
        from: (table: never) => {
          const query = target.select(...fields).from(table)
          return Object.assign(
            gate.promise.then(() => query),
            { where: query.where.bind(query) },
          )
        },
      })
    },
  })
  return {
    db,
    asked: () => asked,
    answer: () => gate.resolve(),
    fail: (cause: Error) => gate.reject(cause),
    again() {
      gate = Promise.withResolvers<void>()
    },
  }
}

describe('the caller of a key', () => {
  test('is its owner, with the limits of both', async () => {
    const rates = { requestsPerMinute: 3, tokensPerMinute: 5, concurrentRequests: 4 }
    await addKey(2, { budgetMicros: 2, ...rates })
    await store.db.insert(spendLimits).values(limitOf(1, 6))
    const { find } = await filled()
    expect(find(['key-2'])).toMatchObject({
      userId: 1,
      itcode: 'ann',
      keyId: 2,
      keyPrefix: 'sk-2',
      hasOldSecret: false,
      counters: [
        {
          scope: 'user',
          id: 1,
          limits: { amounts: [{ period: 'weekly', tokens: 5, micros: 6 }], ...LIMITS },
        },
        { scope: 'key', id: 2, limits: { amounts: [{ period: 'weekly', micros: 2 }], ...rates } },
        { scope: 'group', id: 0, limits: { amounts: [] } },
        { scope: 'organisation', id: 0, limits: { amounts: [] } },
      ],
      grants: new Set(),
    })
  })

  test('has limits of their own where those are set, 0 for none', async () => {
    await store.db.update(users).set({ requestsPerMinute: 0, tokensPerMinute: 7, concurrentRequests: 2 })
    const { find } = await filled()
    const [ofUser] = find(['key-1']).counters
    expect(ofUser?.limits).toMatchObject({ requestsPerMinute: 0, tokensPerMinute: 7, concurrentRequests: 2 })
  })

  test('has what they were granted, and nothing of others', async () => {
    await store.db
      .insert(users)
      .values({ id: 2, itcode: 'bob', name: '', role: 'user', status: 'active', ...times })
    await store.db.insert(grants).values([
      { userId: 1, model: 'a', createdAt: 1 },
      { userId: 1, model: 'b', createdAt: 1 },
      { userId: 2, model: 'c', createdAt: 1 },
    ])
    const { find } = await filled()
    expect(find(['key-1']).grants).toEqual(new Set(['a', 'b']))
  })

  test('is that of the first valid key of several', async () => {
    await addKey(2)
    const { find } = await filled()
    expect(find(['unknown', 'key-2', 'key-1']).keyId).toBe(2)
  })
})

describe('a request is refused', () => {
  test.each<[string, () => PromiseLike<unknown>, string, string]>([
    ['with a key that is unknown', async () => {}, 'unknown', 'key_unknown'],
    ['with a key that is disabled', () => addKey(2, { status: 'disabled' }), 'key-2', 'key_disabled'],
    ['with a key that was deleted', () => addKey(2, { deletedAt: 5 }), 'key-2', 'key_unknown'],
    [
      'with a key that has expired',
      () => addKey(2, { expiresAt: fakeClock().now() }),
      'key-2',
      'key_expired',
    ],
    [
      'of a user who is disabled, whatever the key',
      async () => {
        await store.db.update(users).set({ status: 'disabled' })
        await addKey(2, { status: 'disabled' })
      },
      'key-2',
      'user_disabled',
    ],
  ])('%s', async (_, change, presented, code) => {
    await change()
    expect((await filled()).codeOf(presented)).toBe(code)
  })

  test('without a key', async () => {
    const refusal = refusalFrom(() => setUp().find([]))
    expect(refusal).toMatchObject({ code: 'key_missing' })
    expect(refusal.message).toContain('Send your API key')
  })

  test('for the first reason of several keys', async () => {
    await addKey(2, { status: 'disabled' })
    expect((await filled()).codeOf('key-2', 'unknown')).toBe('key_disabled')
  })

  test('once a key expires', async () => {
    await addKey(2, { expiresAt: fakeClock().now() + 1 })
    const { find, clock, codeOf } = await filled()
    expect(find(['key-2']).keyId).toBe(2)
    clock.advance(1)
    expect(codeOf('key-2')).toBe('key_expired')
  })

  test('with words that help', async () => {
    await addKey(2, { status: 'disabled' })
    await addKey(3, { expiresAt: 1 })
    const { find } = await filled()
    const messages = ['x', 'key-2', 'key-3'].map((key) => refusalFrom(() => find([key])).message)
    expect(messages).toEqual([
      'This API key is unknown. Check it, or make a new one.',
      'This API key is disabled.',
      'This API key has expired. Make a new one.',
    ])
    await store.db.update(users).set({ status: 'disabled' })
    const { find: later } = await filled()
    expect(refusalFrom(() => later(['key-1'])).message).toBe(
      'Your account is disabled. Ask an administrator.',
    )
  })
})

describe('a change in the database', () => {
  test('counts from the next refresh on', async () => {
    const { refresh, codeOf, find } = await filled()
    await addKey(2)
    expect(codeOf('key-2')).toBe('key_unknown')
    await refresh()
    expect(find(['key-2']).keyId).toBe(2)
    await store.db.update(apiKeys).set({ status: 'disabled' }).where(eq(apiKeys.id, 2))
    await refresh()
    expect(codeOf('key-2')).toBe('key_disabled')
  })

  test('alone makes keys be read', async () => {
    const counting = slow()
    counting.answer()
    const { refresh } = await filled(counting.db)
    const first = counting.asked()
    await refresh()
    expect(counting.asked() - first).toBe(1)
  })

  test.each<[string, () => PromiseLike<unknown>]>([
    ['a new key', () => addKey(5)],
    [
      'a key that is disabled',
      () => store.db.update(apiKeys).set({ status: 'disabled' }).where(eq(apiKeys.id, 1)),
    ],
    ['limits of a key', () => store.db.update(apiKeys).set({ quotaTokens: 9 }).where(eq(apiKeys.id, 1))],
    ['a key that is deleted', () => store.db.update(apiKeys).set({ deletedAt: 5 }).where(eq(apiKeys.id, 1))],
    ['a key whose row goes', () => store.db.delete(apiKeys).where(eq(apiKeys.id, 1))],
    [
      'a user who is disabled',
      () => store.db.update(users).set({ status: 'disabled' }).where(eq(users.id, 1)),
    ],
    ['a quota of a user', () => store.db.update(users).set({ quotaTokens: 9 }).where(eq(users.id, 1))],
    ['a spend limit of a user', () => store.db.insert(spendLimits).values(limitOf(1, 9))],
    [
      'a membership',
      () => store.db.insert(groupMembers).values({ groupId: 0, userId: 1, role: 'lead', createdAt: 1 }),
    ],
    ['a grant', () => store.db.insert(grants).values({ userId: 1, model: 'd', createdAt: 1 })],
    ['another grant', () => store.db.update(grants).set({ model: 'd' }).where(eq(grants.userId, 1))],
    ['a grant that is withdrawn', () => store.db.delete(grants).where(eq(grants.userId, 1))],
  ])('is read for the person whom it concerns alone: %s', async (_, change) => {
    const bob = { id: 2, itcode: 'bob', name: '', role: 'user', status: 'active', ...times } as const
    await store.db.insert(users).values(bob)
    await addKey(2)
    await addKey(3, { userId: 2 })
    await store.db.insert(grants).values({ userId: 1, model: 'a', createdAt: 1 })
    const cache = await filled()
    const before = cache.find(['key-3'])
    await change()
    await cache.refresh()
    const anew = await filled()
    for (const key of ['key-1', 'key-2', 'key-3', 'key-5']) {
      expect(foundBy(cache, key)).toEqual(foundBy(anew, key))
    }
    expect(cache.find(['key-3'])).toBe(before)
  })

  test('of many people, and keys of many, are read a part at a time', async () => {
    const people = Array.from({ length: 120 }, (_, i) => i + 10)
    await store.db
      .insert(users)
      .values(
        people.map(
          (id) => ({ id, itcode: `p${id}`, name: '', role: 'user', status: 'active', ...times }) as const,
        ),
      )
    for (const id of people) for (let i = 0; i < 9; i++) await addKey(id * 10 + i, { userId: id })
    /** How often keys are read. */
    let parts = 0
    const counted = new Proxy(store.db, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          if (name === 'select' && Object.values(given[0] ?? {}).includes(apiKeys.id)) parts += 1
          return value.apply(target, given)
        }
      },
    })
    const { refresh, find, codeOf } = setUp(counted)
    await refresh()
    // 1,080 keys and those that were there, 500 at a time.
    expect(parts).toBe(3)
    expect(people.map((id) => find([`key-${id * 10 + 5}`]).userId)).toEqual(people)
    await store.db.update(users).set({ status: 'disabled' })
    await refresh()
    // 121 people, 50 at a time.
    expect(parts).toBe(6)
    expect(new Set(people.map((id) => codeOf(`key-${id * 10}`)))).toEqual(new Set(['user_disabled']))
  })

  test('of keys with long lists never comes in a value that D1 refuses, which would keep everybody out', async () => {
    const D1_BYTES = 2_000_000
    const models = Array.from({ length: 100 }, (_, i) => `${i}-${'m'.repeat(90)}`)
    // Three long ones, then a short one.
    const ids = Array.from({ length: 400 }, (_, i) => i + 10)
    for (const id of ids) await addKey(id, id % 4 === 0 ? {} : { models: JSON.stringify(models) })
    let longest = 0
    const measured = new Proxy(store.db, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (name !== 'all') return typeof value === 'function' ? value.bind(target) : value
        return async (...given: Parameters<typeof target.all>) => {
          const rows = await target.all<{ text?: string }>(...given)
          for (const { text = '' } of rows) longest = Math.max(longest, Buffer.byteLength(text))
          return rows
        }
      },
    })
    const { refresh, find } = setUp(measured)
    await refresh()
    expect(longest).toBeGreaterThan(8_000)
    expect(longest).toBeLessThan(D1_BYTES)
    expect(ids.map((id) => find([`key-${id}`]).keyId)).toEqual(ids)
    expect(find(['key-10']).models.only).toEqual(models)
    expect(find(['key-12']).models.only).toBeUndefined()
  })

  test('is not missed when another database is put in the place of this one', async () => {
    const { refresh, codeOf } = await filled()
    await store.db.update(keyRevision).set({ revision: 0 })
    await store.db.delete(userChanges)
    await store.db.delete(apiKeys)
    await store.db.update(keyRevision).set({ revision: 0 })
    await refresh()
    expect(codeOf('key-1')).toBe('key_unknown')
  })

  test('is looked for once the last look is too old', async () => {
    const { fresh, clock } = await filled()
    clock.advance(1_000)
    expect(fresh(1_000)).toBeUndefined()
    clock.advance(1)
    const looking = fresh(1_000)
    expect(looking).toBeInstanceOf(Promise)
    await looking
    expect(fresh(0)).toBeUndefined()
  })

  test('is looked for by a cache that never looked', async () => {
    const looking = setUp().fresh(1e15)
    expect(looking).toBeInstanceOf(Promise)
    await looking
  })

  test('is seen by whoever asks after it, while another look is under way', async () => {
    const gated = slow()
    const { refresh, find } = setUp(gated.db)
    const first = refresh()
    const [second, third] = [refresh(), refresh()]
    expect(second).toBe(third)
    await addKey(2)
    gated.answer()
    await Promise.all([first, second])
    expect(find(['key-2']).keyId).toBe(2)
    await refresh()
  })

  test('is told of as an error when the database fails, and looked for again', async () => {
    const gated = slow()
    const { refresh, find } = setUp(gated.db)
    const first = refresh()
    const second = refresh()
    gated.fail(new Error('away'))
    await expect(first).rejects.toThrow('away')
    await expect(second).rejects.toThrow('away')
    gated.again()
    gated.answer()
    await refresh()
    expect(find(['key-1']).keyId).toBe(1)
  })
})
