import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import type { NamedObject } from '../../core/calls/named.ts'
import type { MadeObject, ObjectKind } from '../../core/db/objects.ts'
import { auditEvents, upstreamObjects } from '../../core/db/schema.ts'
import { adoptObject, listObjects, sweepObjects } from '../../core/objects/manage.ts'
import { createObjects } from '../../core/objects/owner.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { fakeClock } from '../support/clock.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { callRecord } from '../support/records.ts'
import { STORES } from '../support/stores.ts'

const settings = { objects: { unknown: 'refuse' as const } }
const named = (kind: ObjectKind, id: string): NamedObject => ({ kind, id, path: kind })
const made = (kind: ObjectKind, id: string, expiresAt: number | null = null): MadeObject => ({
  kind,
  id,
  expiresAt,
})

describe.each(Object.entries(STORES))('owners of objects on %s', (_name, open) => {
  let store: OpenedStore
  beforeEach(async () => {
    store = await open()
  })
  afterEach(() => store.close())
  const write = (userId: number, backend: string, ...madeObjects: MadeObject[]) =>
    writeRecords(store.db, [recordText(callRecord({ userId, backend, madeObjects }))])
  /** As another process sees it. */
  const bind = async (userId: number, ...objects: NamedObject[]) =>
    createObjects({ db: store.db, settings }).bind(userId, objects)

  test('are written with the call, and found by every process', async () => {
    const ids = ['odd "id" \\ of \u6a21', 'file_1']
    await write(1, 'b', ...ids.map((id) => made('file', id)), made('container', 'c1', 99))
    await writeRecords(store.db, [recordText(callRecord({ userId: 1 }))])
    const objects = [...ids.map((id) => named('file', id)), named('container', 'c1')]
    expect(await bind(1, ...objects)).toEqual({ boundTo: 'b', steersTo: undefined })
    await expect(bind(2, ...objects)).rejects.toThrow('there is no file of yours')
    await expect(bind(1, named('file', 'c1'))).rejects.toThrow('there is no file of yours')
    const rows = await store.db.select().from(upstreamObjects)
    expect(rows.map(({ id, expiresAt }) => [id, expiresAt])).toEqual([
      [ids[0], null],
      ['file_1', null],
      ['c1', 99],
    ])
  })

  test('stay who they were first, while a new answer puts off the end', async () => {
    await write(1, 'a', made('container', 'c1', 10))
    await write(2, 'b', made('container', 'c1', 20))
    await write(1, 'b', made('container', 'c1', 30))
    const rows = () => store.db.select().from(upstreamObjects)
    expect(await rows()).toMatchObject([{ userId: 1, backend: 'a', expiresAt: 10 }])
    await write(1, 'a', made('container', 'c1', 40))
    expect(await rows()).toMatchObject([{ userId: 1, backend: 'a', expiresAt: 40 }])
  })

  test('adopt what was made elsewhere, once and with a trace', async () => {
    const parts = { db: store.db, clock: fakeClock(), actor: COMMAND_LINE }
    const object = { kind: 'skill', id: 'skill_1', backend: 'a', userId: 1 } as const
    await adoptObject(parts, object)
    await adoptObject(parts, object)
    await expect(adoptObject(parts, { ...object, userId: 2 })).rejects.toThrow('has an owner already: user 1')
    await expect(adoptObject(parts, { ...object, backend: 'b' })).rejects.toThrow('has an owner already')
    expect(await bind(1, named('skill', 'skill_1'))).toEqual({ boundTo: 'a', steersTo: undefined })
    expect(await store.db.select().from(auditEvents)).toMatchObject([
      { action: 'object.adopt', target: 'skill:skill_1', after: '{"backend":"a","user_id":1}' },
    ])
    expect(await listObjects(store.db, 1)).toMatchObject([{ kind: 'skill', id: 'skill_1', backend: 'a' }])
    expect(await listObjects(store.db, 2)).toEqual([])
  })

  test('are forgotten when the object is gone, and the oldest when one person has too many', async () => {
    await write(1, 'a', made('container', 'old', 1000), made('container', 'new', 3000), made('file', 'kept'))
    for (const id of ['f1', 'f2', 'f3']) await write(2, 'a', made('file', id))
    for (const id of ['t1', 't2', 't3']) await write(2, 'a', made('thread', id, 3000))
    await sweepObjects(store.db, 2000, 2)
    const rows = await store.db.select({ id: upstreamObjects.id }).from(upstreamObjects).orderBy(sql`row_id`)
    expect(rows.map(({ id }) => id)).toEqual(['new', 'kept', 'f2', 'f3', 't2', 't3'])
  })

  test('are known at once in the process that saw the answer', async () => {
    const objects = createObjects({ db: store.db, settings })
    objects.remember({ userId: 1, backend: 'a' }, [made('file', 'f1')])
    objects.remember({ userId: 2, backend: 'b' }, [made('file', 'f1')])
    expect(objects.bind(1, [named('file', 'f1')])).toEqual({ boundTo: 'a', steersTo: undefined })
    expect(() => objects.bind(2, [named('file', 'f1')])).toThrow('there is no file of yours')
  })
})
