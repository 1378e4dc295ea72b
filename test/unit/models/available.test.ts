import { afterAll, beforeAll, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { applications, grants, users } from '../../../core/db/schema.ts'
import { availableModels } from '../../../core/models/available.ts'
import { memoryStore, type OpenedStore } from '../../support/memory-store.ts'
import { load, MINIMAL } from '../config/settings.ts'

const times = { createdAt: 1, updatedAt: 1 }
const LISTED = [
  { id: 'open-1', display_name: 'Open One' },
  { id: 'ask-1-20260901' },
  { id: 'ask-2-20260901' },
  { id: 'ask-3' },
  { id: 'ask-4' },
  { id: 'closed-1' },
]
const settings = settingsFrom(
  load({
    ...MINIMAL,
    models: {
      default_access: 'closed',
      rules: [
        { match: 'open-*', access: 'open' },
        { match: 'ask-*', access: 'approval' },
      ],
    },
  }),
)
const prices = { canonical: (model: string) => model.replace(/-20\d+$/, '') }
const of = (id: string) => ({ id, displayName: id })
const catalogue = { models: async () => LISTED }

let store: OpenedStore
beforeAll(async () => {
  store = await memoryStore()
  const { db } = store
  const person = { name: '', role: 'user', status: 'active', ...times } as const
  await db.insert(users).values([
    { id: 1, itcode: 'ann', ...person },
    { id: 2, itcode: 'bob', ...person },
  ])
  await db.insert(grants).values([
    { userId: 1, model: 'ask-1', createdAt: 1 },
    { userId: 1, model: 'ask-3', createdAt: 1 },
    { userId: 2, model: 'ask-4', createdAt: 1 },
  ])
  await db.insert(applications).values([
    { userId: 1, model: 'ask-2-20260901', reason: '', status: 'pending', ...times },
    { userId: 1, model: 'ask-4', reason: '', status: 'rejected', ...times },
    { userId: 2, model: 'ask-4', reason: '', status: 'pending', ...times },
  ])
})
afterAll(() => store.close())

test('every listed model is shown with what its user may do with it', async () => {
  // What it asks of them.
  const parts = { db: store.db, catalogue, settings, prices } as unknown as Parameters<
    typeof availableModels
  >[0]
  const ofAnn = await availableModels(parts, 1)
  expect(ofAnn.map(({ listed, ...model }) => model)).toEqual([
    { id: 'open-1', displayName: 'Open One', access: 'open', general: 'open', canonical: 'open-1' },
    { ...of('ask-1-20260901'), access: 'granted', general: 'approval', canonical: 'ask-1' },
    { ...of('ask-2-20260901'), access: 'pending', general: 'approval', canonical: 'ask-2' },
    { ...of('ask-3'), access: 'granted', general: 'approval', canonical: 'ask-3' },
    { ...of('ask-4'), access: 'approval', general: 'approval', canonical: 'ask-4' },
    { ...of('closed-1'), access: 'closed', general: 'closed', canonical: 'closed-1' },
  ])
  expect(ofAnn.map(({ listed }) => listed)).toEqual(LISTED)
  const ofBob = await availableModels(parts, 2)
  expect(ofBob.map(({ access }) => access)).toEqual([
    'open',
    'approval',
    'approval',
    'approval',
    'granted',
    'closed',
  ])
})
