import { describe, expect, test } from 'vitest'
import { attemptsIn, createStory } from '../../../core/calls/story.ts'
import { limitsIn, parseRecord, recordText, wellFormed } from '../../../core/reports/stored-record.ts'
import { callRecord } from '../../support/records.ts'

describe('the story of a call', () => {
  test('is empty if the first backend answered, and tells every attempt otherwise', () => {
    let now = 1
    const story = createStory(() => now)
    story.sentTo('a')
    now = 4.4
    story.ended(200, [['request-id', 'req_011']])
    expect([story.text(), story.upstreamId()]).toEqual(['', 'req_011'])

    const failing = createStory(() => now)
    failing.sentTo('a "quoted" ]],')
    now = 300
    failing.ended('pair_failed')
    failing.sentTo('b')
    now = 310
    failing.ended(200, [['request-id', 'no id "]],0]']])
    expect(failing.upstreamId()).toBe('')
    expect(attemptsIn(failing.text())).toEqual([
      { backend: 'a "quoted" ]],', beganMs: 4, tookMs: 296, answer: 'pair_failed' },
      { backend: 'b', beganMs: 300, tookMs: 10, answer: 200 },
    ])
  })

  test('stands behind the limits of a record, which are found whatever it says', () => {
    const limits = [['user:1', 'monthly', 0, 5]] as const
    for (const story of ['', '[["a \\"]],0]",1,2,529]]', ']],"",0]', '\\']) {
      const record = callRecord({ limits, story, session: 's', project: ',[[', madeObjects: [] })
      const text = recordText(record)
      expect(parseRecord(text)).toEqual(record)
      expect(limitsIn(text)).toBe('["user:1","monthly",0,5]')
      expect(limitsIn(recordText(callRecord({ story })))).toBe('')
    }
  })

  test('is missing in records of earlier releases, which are read as before', () => {
    const record = callRecord({ limits: [['user:1', 'total', 0, 5]], madeObjects: [] })
    const values: unknown[] = JSON.parse(recordText(record))
    const before = JSON.stringify([...values.slice(0, -5), values.at(-1)])
    expect(parseRecord(before)).toEqual(record)
    expect(wellFormed(before)).toBe(recordText(record))
  })
})
