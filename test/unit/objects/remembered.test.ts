import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NamedObject } from '../../../core/calls/named.ts'
import { upstreamObjects } from '../../../core/db/objects.ts'
import { createObjects } from '../../../core/objects/owner.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'

const ANN = { userId: 1, backend: 'a' }
const BEN = { userId: 2, backend: 'b' }
const file = (id: string): NamedObject => ({ kind: 'file', id, path: 'file.path' })
const made = (id: string) => ({ kind: 'file' as const, id, expiresAt: null })
const NOT_YOURS = 'file.path: there is no file of yours with this id here.'

let store: OpenedStore
let objects: ReturnType<typeof createObjects>
beforeEach(async () => {
  store = await memoryStore()
  objects = createObjects({ db: store.db, settings: { objects: { unknown: 'refuse' } } })
})
afterEach(() => store.close())

const write = (id: string, owner: typeof ANN) =>
  store.db.insert(upstreamObjects).values({ kind: 'file', id, createdAt: 0, ...owner })
const empty = () => store.db.delete(upstreamObjects)

describe('an object', () => {
  test('is its maker’s before its row is written, and nobody else’s', async () => {
    objects.remember(ANN, [made('f')])
    expect(objects.bind(1, [file('f')])).toEqual({ boundTo: 'a', steersTo: undefined })
    expect(objects.find(1, file('f'))).toEqual(ANN)
    expect(() => objects.bind(2, [file('f')])).toThrow(NOT_YOURS)
    expect(objects.find(2, file('f'))).toBeUndefined()
  })

  test('goes on being that of whoever owned it first', async () => {
    objects.remember(ANN, [made('f')])
    objects.remember(BEN, [made('f')])
    expect(objects.find(1, file('f'))).toEqual(ANN)
    objects.remember({ ...ANN, backend: 'c' }, [made('f')])
    expect(objects.find(1, file('f'))).toEqual({ userId: 1, backend: 'c' })
  })

  test('is read from the database beside what is known already, and only once', async () => {
    await write('old', ANN)
    objects.remember(ANN, [made('new')])
    for (const _ of ['read', 'known']) {
      expect(await objects.bind(1, [file('new'), file('old')])).toEqual({ boundTo: 'a', steersTo: undefined })
      await empty()
    }
    await write('of-ben', BEN)
    await expect(objects.bind(1, [file('new'), file('of-ben')])).rejects.toThrow(NOT_YOURS)
    expect(await objects.find(1, file('of-ben'))).toBeUndefined()
  })

  test('that is gone is looked for anew', async () => {
    objects.remember(ANN, [made('f')])
    objects.forget(file('f'))
    await expect(objects.bind(1, [file('f')])).rejects.toThrow(NOT_YOURS)
    expect(await objects.find(1, file('f'))).toBeUndefined()
  })

  test('leaves the memory when 50,000 others were named since', async () => {
    objects.remember(ANN, [made('kept'), made('first')])
    objects.remember(
      BEN,
      Array.from({ length: 49_998 }, (_, i) => made(`${i}`)),
    )
    objects.bind(1, [file('kept')])
    objects.remember(BEN, [made('last')])
    expect(objects.find(1, file('kept'))).toEqual(ANN)
    expect(await objects.find(1, file('first'))).toBeUndefined()
  })
})
