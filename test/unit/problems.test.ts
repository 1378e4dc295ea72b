import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { PROBLEMS } from '../../core/problems.ts'
import { line, network } from '../../functions/fields.ts'
import { checked } from '../../functions/guard.ts'
import { en } from '../../site/src/lib/i18n/en.ts'
import { zhCN } from '../../site/src/lib/i18n/zh-CN.ts'

/** One text, or those of one and of several. */
const Forms = z.union([
  z.string().transform((text) => [text]),
  z.record(z.string(), z.string()).transform((texts) => Object.values(texts)),
])
const parametersOf = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()

describe.each([
  ['English', en],
  ['Chinese', zhCN],
])('%s', (_, words) => {
  const texts = new Map<string, unknown>(Object.entries(words))

  test.each(Object.entries(PROBLEMS))('has words for %s, with its parameters', (code, sentence) => {
    const forms = Forms.parse(texts.get(`problem.${code}`))
    expect(forms.length).toBeGreaterThan(0)
    for (const text of forms) {
      expect(parametersOf(text)).toEqual(parametersOf(sentence))
      expect(text).toMatch(words === zhCN ? /[\u4e00-\u9fff]/ : /^[A-Z{a]/)
    }
  })

  test('has no words for a code that is not there', () => {
    const named = [...texts.keys()].filter((key) => key.startsWith('problem.'))
    expect(named.filter((key) => !Object.hasOwn(PROBLEMS, key.slice('problem.'.length)))).toEqual([])
  })
})

const schema = z.strictObject({
  name: line(5).optional(),
  from: network.optional(),
  n: z.int().min(0).max(9).optional(),
  kind: z.enum(['a', 'b']).optional(),
  list: z.array(z.string()).max(1).optional(),
})

test.each([
  [{ name: '' }, 'name', { code: 'required', params: {} }],
  [{ name: ' ' }, 'name', { code: 'required', params: {} }],
  [{ name: 'a\nb' }, 'name', { code: 'one_line', params: {} }],
  [{ name: 'longer' }, 'name', { code: 'too_long', params: { n: 5 } }],
  [{ name: 1 }, 'name', { code: 'text', params: {} }],
  [{ list: [undefined] }, 'list.0', { code: 'required', params: {} }],
  [{ list: ['a', 'b'] }, 'list', { code: 'too_many', params: { n: 1 } }],
  [{ from: '10.0.0.0/99' }, 'from', { code: 'network', params: {} }],
  [{ n: -1 }, 'n', { code: 'at_least', params: { n: 0 } }],
  [{ n: 10 }, 'n', { code: 'at_most', params: { n: 9 } }],
  [{ n: 1.5 }, 'n', { code: 'whole', params: {} }],
  [{ kind: 'c' }, 'kind', { code: 'one_of', params: { values: 'a, b' } }],
  [{ other: 1 }, 'other', { code: 'unknown_field', params: {} }],
])('what a schema finds wrong has a code: %j', (input, field, problem) => {
  expect(() => checked(schema, input)).toThrow(
    expect.objectContaining({ problems: { [field]: expect.objectContaining(problem) } }),
  )
})
