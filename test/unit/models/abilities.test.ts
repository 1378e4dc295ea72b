import { describe, expect, test } from 'vitest'
import { shippedAbilities } from '../../../adapters/shared/tables.ts'
import { AbilityTable, abilitiesOf } from '../../../core/models/abilities.ts'

const ROW = {
  max_output: 1_000,
  sampling: true,
  forced_tools: true,
  prefill: false,
  system_in_place: false,
  structured_outputs: false,
  thinking_by_default: true,
  thinking: ['adaptive', 'disabled'],
  effort: ['low', 'high'],
}
const TABLE = AbilityTable.parse([
  { ...ROW, match: ['nothing', 'big-*'], except: [{ match: 'big-2', max_output: 2_000, prefill: true }] },
  { ...ROW, match: ['*'], max_output: 10, sampling: false },
])

describe('what a model can do', () => {
  test('is what the first row says that matches', () => {
    expect(abilitiesOf(TABLE, 'big-1')).toEqual({
      maxOutput: 1_000,
      sampling: true,
      fast: false,
      forcedTools: true,
      prefill: false,
      systemInPlace: false,
      structuredOutputs: false,
      thinkingByDefault: true,
      thinking: new Set(['adaptive', 'disabled']),
      effort: new Set(['low', 'high']),
    })
    expect(abilitiesOf(TABLE, 'small')).toMatchObject({ maxOutput: 10, sampling: false })
  })

  test('differs where the row makes an exception', () => {
    expect(abilitiesOf(TABLE, 'big-2')).toMatchObject({ maxOutput: 2_000, prefill: true, sampling: true })
  })

  test('is what the upstream lists, where it lists it', () => {
    const listed = {
      id: 'big-1',
      max_tokens: 77,
      capabilities: {
        thinking: { types: { enabled: { supported: true }, adaptive: { supported: false } } },
        effort: { low: { supported: false }, max: { supported: true }, high: 'odd' },
        structured_outputs: { supported: true },
      },
    }
    expect(abilitiesOf(TABLE, 'big-1', listed)).toMatchObject({
      maxOutput: 77,
      thinking: new Set(['enabled']),
      effort: new Set(['max']),
      structuredOutputs: true,
      sampling: true,
    })
  })

  test.each([
    ['tells nothing', { id: 'x' }],
    ['tells of other things', { id: 'x', capabilities: { thinking: {}, other: 1 } }],
    ['cannot be read', { id: 'x', max_tokens: -5, capabilities: { structured_outputs: 'yes' } }],
  ])('is what the table says while the list %s', (_, listed) => {
    expect(abilitiesOf(TABLE, 'big-1', listed)).toEqual(abilitiesOf(TABLE, 'big-1'))
  })

  test('is nothing without a row for every model', () => {
    expect(() => abilitiesOf(AbilityTable.parse([]), 'x')).toThrow('no row for every model')
  })

  test.each([
    ['a field that is missing', { ...ROW, match: ['*'], max_output: undefined }],
    ['a field that nobody knows', { ...ROW, match: ['*'], sampel: true }],
    ['an exception without a name', { ...ROW, match: ['*'], except: [{ prefill: true }] }],
    ['an exception of a wrong type', { ...ROW, match: ['*'], except: [{ match: 'x', prefill: 1 }] }],
    ['a row without names', ROW],
  ])('cannot be told by %s', (_, row) => {
    expect(AbilityTable.safeParse([row]).success).toBe(false)
  })

  test('is shipped for every model', () => {
    expect(abilitiesOf(shippedAbilities(), 'nobody-knows').maxOutput).toBeGreaterThan(0)
  })
})
