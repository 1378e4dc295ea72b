import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PromptLoss } from '../../core/metering/prompt-losses.ts'
import type { CallRecord } from '../../core/ports.ts'
import { recordText } from '../../core/reports/stored-record.ts'
import { writeRecords } from '../../core/reports/write.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { callRecord } from '../support/records.ts'

const PATH = '/admin/api/usage/cache-misses'
const missed = (reason: string, tokens: number): PromptLoss => ({
  kind: 'cache_miss',
  reason,
  blocks: 0,
  tokens,
})
const dropped = (blocks: number): PromptLoss => {
  return { kind: 'thinking_dropped', reason: 'prefix_binding_mismatch', blocks, tokens: 0 }
}

describe('lost caches and thinking', () => {
  let app: App
  let ann: Browser & { id: number }
  let boss: Browser
  beforeEach(async () => {
    app = await startApp()
    ann = await app.signIn('ann')
    boss = await app.signIn('boss', 'admin')
  })
  afterEach(() => app.close())
  const write = (...records: CallRecord[]) => writeRecords(app.db, records.map(recordText))
  const ofAnn = (...promptLosses: PromptLoss[]) => callRecord({ userId: ann.id, promptLosses })

  test('are summed per person, model, kind and reason, the most frequent first', async () => {
    await write(
      ofAnn(missed('tools_changed', 500), dropped(2)),
      ofAnn(missed('tools_changed', 70)),
      callRecord(),
    )
    await write({ ...ofAnn(missed('tools_changed', 1)), model: 'claude-haiku-5-5' }, ofAnn())
    const common = { user_id: ann.id, itcode: 'ann', model: 'claude-opus-5-5' }
    const cache = { kind: 'cache_miss', reason: 'tools_changed', blocks: 0 }
    expect((await boss.get(PATH)).body.losses).toEqual([
      { ...common, ...cache, calls: 2, missed_tokens: 570 },
      { ...common, ...cache, model: 'claude-haiku-5-5', calls: 1, missed_tokens: 1 },
      {
        ...common,
        kind: 'thinking_dropped',
        reason: 'prefix_binding_mismatch',
        calls: 1,
        blocks: 2,
        missed_tokens: 0,
      },
    ])
  })

  test('are counted once, however often their record is written', async () => {
    const record = ofAnn(missed('unavailable', 9))
    await write(record)
    await write(record, ofAnn(missed('unavailable', 1)))
    await write(record)
    expect((await boss.get(PATH)).body.losses).toMatchObject([{ calls: 2, missed_tokens: 10 }])
  })

  test('are asked for by dates, and by administrators alone', async () => {
    await write({ ...ofAnn(missed('unavailable', 1)), createdAt: Date.UTC(2026, 9, 1) })
    await write(ofAnn(missed('unavailable', 2)))
    const tokens = async (query: string) =>
      (await boss.get(`${PATH}${query}`)).body.losses.map(
        ({ missed_tokens }: { missed_tokens: number }) => missed_tokens,
      )
    expect(await tokens('')).toEqual([2])
    expect(await tokens('?start_date=2026-10-01&end_date=2026-10-01')).toEqual([1])
    expect(await tokens('?start_date=2026-10-01')).toEqual([3])
    expect(await tokens(`?user_id=${ann.id}&model=claude-opus-5-5`)).toEqual([2])
    expect(await tokens('?user_id=999')).toEqual([])
    expect(await tokens('?model=claude-haiku-5-5')).toEqual([])
    expect((await boss.get(`${PATH}?end_date=x`)).status).toBe(400)
    expect((await ann.get(PATH)).status).toBe(403)
  })
})
