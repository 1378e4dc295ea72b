import { expect, test } from 'vitest'
import { csvLine } from '../../../core/reports/csv.ts'
import { csvOf } from '../../../site/src/lib/ui/csv.ts'

test.each(['=1+1', '＝1+1', '\u200b@sum', ' -cmd', '﹢1', '\n=1', 'a=1', '小明', 'a,"b"'])(
  'a list saved in the browser guards %j from spreadsheets as the files of the gateway do',
  (text) => {
    expect(csvOf([[text]])).toBe(`\ufeff${csvLine([text])}`)
  },
)
test('amounts below zero stay numbers', () => {
  expect(csvOf([['-12.50', '-1,000']])).toBe('\ufeff-12.50,"-1,000"\r\n')
})
