import { expect, test } from 'vitest'
import { createOutage } from '../../core/outage.ts'

test('an outage is said once, and once when it is over', () => {
  const lines: unknown[] = []
  const logger = {
    error: (...line: unknown[]) => void lines.push(line),
    info: (...line: unknown[]) => void lines.push(line),
  }
  const outage = createOutage(logger, { failed: 'store.away', worksAgain: 'store.back' })
  outage.worked()
  expect(outage.works()).toBe(true)
  for (let i = 0; i < 3; i++) outage.failed(new Error('no'), { rows: i })
  expect(outage.works()).toBe(false)
  for (let i = 0; i < 2; i++) outage.worked({ rows: i })
  outage.failed('again')
  expect(lines).toEqual([
    ['store.away', { cause: 'Error: no', rows: 0 }],
    ['store.back', { rows: 0 }],
    ['store.away', { cause: 'again' }],
  ])
})
