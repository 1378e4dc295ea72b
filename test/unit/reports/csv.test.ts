import { describe, expect, test } from 'vitest'
import { type Cell, csvLine, csvStream } from '../../../core/reports/csv.ts'

describe('a line of CSV', () => {
  test.each<[Cell, string]>([
    ['plain', 'plain'],
    ['a,b', '"a,b"'],
    ['say "x"', '"say ""x"""'],
    ['two\r\nlines', '"two\r\nlines"'],
    ['名字', '名字'],
    ['', ''],
    [null, ''],
    [true, 'true'],
    [0.000001, '0.000001'],
    [-5, '-5'],
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', "'\t=1"],
    ['\r=1', `"'\r=1"`],
    ['=HYPERLINK("http://x","y")', `"'=HYPERLINK(""http://x"",""y"")"`],
    ['a=1', 'a=1'],
    ['＝1+1', "'＝1+1"],
    ['＋1', "'＋1"],
    ['－1', "'－1"],
    ['＠SUM(A1)', "'＠SUM(A1)"],
    ['﹦1', "'﹦1"],
    ['\t1', "'\t1"],
    ['\n=1', `"'\n=1"`],
    [' =1', "' =1"],
    ['\u200b\ufeff=1', "'\u200b\ufeff=1"],
    ['\u3000＝1', "'\u3000＝1"],
    ['中＝1', '中＝1'],
  ])('holds %j as %j', (cell, text) => {
    expect(csvLine([cell, 1])).toBe(`${text},1\r\n`)
  })
})

describe('a table', () => {
  async function* slices(made: number[], fails = false) {
    for (let i = 0; i < 3; i++) {
      made.push(i)
      if (fails && i === 1) throw new Error('the disk is gone')
      yield [[i, 'a']]
    }
  }

  test('is made as it is taken', async () => {
    const made: number[] = []
    const reader = csvStream(['id', 'name'], slices(made)).getReader()
    const text = async () => new TextDecoder().decode((await reader.read()).value)
    expect(await text()).toBe('id,name\r\n')
    expect(await text()).toBe('0,a\r\n')
    expect(made.length).toBeLessThan(3)
    expect((await text()) + (await text())).toBe('1,a\r\n2,a\r\n')
    expect((await reader.read()).done).toBe(true)
  })

  test('that is not wanted any more is not made to its end', async () => {
    const made: number[] = []
    const reader = csvStream(['id'], slices(made)).getReader()
    await reader.read()
    await reader.cancel()
    expect(made.length).toBeLessThan(3)
  })

  test('that fails in the middle never ends as if it were whole', async () => {
    await expect(new Response(csvStream(['id'], slices([], true))).text()).rejects.toThrow('the disk is gone')
  })
})
