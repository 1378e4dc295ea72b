import { expect, test } from 'vitest'
import { limitsIn, parseRecord, recordText } from '../../../core/reports/stored-record.ts'
import { callRecord } from '../../support/records.ts'

const LOSS = { kind: 'cache_miss', reason: 'x', blocks: 0, tokens: 5 } as const

test('a record tells its limits, and they are read without the rest', () => {
  const limits = [
    ['user:7', 'daily', 1_700_000_000_000, 5],
    ['organisation:0', 'total', 0, 9],
  ] as const
  const record = callRecord({ limits, promptLosses: [] })
  expect(parseRecord(recordText(record)).limits).toEqual(limits)
  expect(limitsIn(recordText(record))).toBe(
    '["user:7","daily",1700000000000,5],["organisation:0","total",0,9]',
  )
})

test('a record without limits, with lists before, and one of the release before have none', () => {
  const text = recordText(callRecord({ promptLosses: [LOSS] }))
  expect(limitsIn(text)).toBe('')
  const before = text.replace(/,\[\](,""){4},1\]$/, ',1]')
  expect(before).not.toBe(text)
  expect(limitsIn(before)).toBe('')
  expect(parseRecord(before)).toEqual(parseRecord(text))
})
