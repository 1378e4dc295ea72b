import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { findModel, listModels } from '../../../core/models/list.ts'
import { NO_RULES } from '../../support/call.ts'
import { refusalOf } from '../../support/refusals.ts'
import { load, MINIMAL } from '../config/settings.ts'

type Parts = Parameters<typeof listModels>[0]
type Caller = Parameters<typeof listModels>[1]

const IDS = ['m1', 'm2', 'm3', 'm4', 'm5']
const settings = settingsFrom(
  load({ ...MINIMAL, models: { rules: [{ match: 'secret-*', access: 'approval' }] } }),
)

function partsWith(
  listed: readonly { id: string; display_name?: string; created_at?: string }[],
  { answered = true, offers = (_: string): boolean => true } = {},
): Parts {
  return {
    balancer: { offers },
    catalogue: { models: async () => listed, answered: () => answered },
    settings,
    prices: { canonical: (model: string) => model.replace(/-20\d+$/, '') },
  } as unknown as Parts // what a list asks of them
}
const PARTS = partsWith(IDS.map((id) => ({ id })))
const caller = (...grants: string[]) => ({ grants: new Set(grants), models: NO_RULES }) as unknown as Caller
const page = async (query: object) => {
  const { data, ...rest } = await listModels(PARTS, caller(), { limit: 20, ...query })
  return { ids: data.map(({ id }) => id), ...rest }
}

describe('a page of models', () => {
  test('is all of them where they fit', async () => {
    expect(await page({})).toEqual({
      object: 'list',
      ids: IDS,
      has_more: false,
      first_id: 'm1',
      last_id: 'm5',
    })
    expect(await page({ limit: 5 })).toMatchObject({ ids: IDS, has_more: false })
  })
  test('is the first ones otherwise', async () => {
    expect(await page({ limit: 2 })).toMatchObject({ ids: ['m1', 'm2'], has_more: true, last_id: 'm2' })
  })
  test('after a cursor begins right behind it', async () => {
    expect(await page({ limit: 2, after_id: 'm1' })).toMatchObject({ ids: ['m2', 'm3'], has_more: true })
    expect(await page({ after_id: 'm3' })).toMatchObject({ ids: ['m4', 'm5'], has_more: false })
    expect(await page({ after_id: 'm5' })).toMatchObject({ ids: [], first_id: null, last_id: null })
  })
  test('before a cursor ends right before it', async () => {
    expect(await page({ limit: 2, before_id: 'm4' })).toMatchObject({ ids: ['m2', 'm3'], has_more: true })
    expect(await page({ before_id: 'm3' })).toMatchObject({ ids: ['m1', 'm2'], has_more: false })
    expect(await page({ before_id: 'm1' })).toMatchObject({ ids: [], first_id: null })
  })
  test.each(['after_id', 'before_id'])('is refused for an %s that is not in the list', async (cursor) => {
    const refusal = await refusalOf(page({ [cursor]: 'gone' }))
    expect(refusal).toMatchObject({ code: 'invalid_input' })
    expect(refusal.message).toContain('the id of a model in this list is expected')
  })
})

describe('a model in the list', () => {
  test('has what the SDKs of Anthropic and of OpenAI read', async () => {
    const listed = { id: 'm', display_name: 'M', created_at: '2026-09-01T00:00:01.900Z', more: 1 }
    const { data } = await listModels(partsWith([listed]), caller(), { limit: 1 })
    expect(data).toEqual([
      {
        ...listed,
        type: 'model',
        object: 'model',
        created: Date.UTC(2026, 8, 1, 0, 0, 1) / 1000,
        owned_by: 'anthropic',
      },
    ])
  })
  test('has something in place of what the upstream does not tell', async () => {
    const { data } = await listModels(partsWith([{ id: 'm' }]), caller(), { limit: 1 })
    expect(data[0]).toMatchObject({ display_name: 'm', created_at: '1970-01-01T00:00:00Z', created: 0 })
  })
  test('is one that is offered and that the caller may use', async () => {
    const parts = partsWith(
      [{ id: 'gone' }, { id: 'secret-1-20260901' }, { id: 'secret-2' }, { id: 'open' }],
      {
        offers: (id) => id !== 'gone',
      },
    )
    const { data } = await listModels(parts, caller('secret-1'), { limit: 9 })
    expect(data.map(({ id }) => id)).toEqual(['secret-1-20260901', 'open'])
  })
})

describe('before any backend has answered', () => {
  test('there is no list, and no model', async () => {
    const parts = partsWith([], { answered: false })
    const expected = { code: 'no_backend_available', retryAfterMs: 5_000 }
    const refusal = await refusalOf(listModels(parts, caller(), { limit: 1 }))
    expect(refusal).toMatchObject(expected)
    expect(refusal.message).toContain('No backend has listed its models yet')
    expect(await refusalOf(findModel(parts, caller(), 'm1'))).toMatchObject(expected)
  })
  test('a list of one that answered before is still shown', async () => {
    const parts = partsWith([{ id: 'm1' }], { answered: false })
    expect((await listModels(parts, caller(), { limit: 1 })).data).toHaveLength(1)
  })
  test('an empty list of those that answered is a list', async () => {
    expect((await listModels(partsWith([]), caller(), { limit: 1 })).data).toEqual([])
  })
})

describe('one model', () => {
  test('is found by its id', async () => {
    expect(await findModel(PARTS, caller(), 'm2')).toMatchObject({ id: 'm2', type: 'model' })
  })
  test.each([
    ['unknown', 'm9', 'model: m9'],
    ['no name', 'a\nb', 'model: this is no name of a model.'],
  ])('that is %s is refused', async (_, id, message) => {
    expect(await refusalOf(findModel(PARTS, caller(), id))).toMatchObject({ code: 'model_unknown', message })
  })
})
