import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { accessOf, isAllowed, isOpenToAll, replacementFor } from '../../../core/models/access.ts'
import { load, MINIMAL } from '../config/settings.ts'

const settingsWith = (given: object) => settingsFrom(load({ ...MINIMAL, ...given }))

describe('access to a model', () => {
  const settings = settingsWith({
    models: {
      default_access: 'approval',
      rules: [
        { match: 'claude-opus-5-5', access: 'closed' },
        { match: 'claude-opus-*', access: 'open' },
      ],
    },
  })

  test('is what the first rule says that matches, by name or canonical name, else the default', () => {
    expect(accessOf(settings, 'claude-opus-5-5', 'claude-opus-5-5')).toBe('closed')
    expect(accessOf(settings, 'claude-opus-5-5-20260901', 'claude-opus-5-5')).toBe('closed')
    expect(accessOf(settings, 'claude-opus-4-7', 'claude-opus-4-7')).toBe('open')
    expect(accessOf(settings, 'claude-haiku-5-5', 'claude-haiku-5-5')).toBe('approval')
  })

  test('is not led around by characters that look alike or like nothing', () => {
    for (const name of [
      'claude-\u200bopus-5-5',
      'claude\u2011opus\u20115\u20115',
      '\uff43laude-opus-5-5',
      'CLAUDE-opus-5-5',
    ]) {
      expect(accessOf(settings, name, name)).toBe('closed')
    }
  })

  test('is by grant where approval is needed, and never where it is closed', () => {
    const granted = new Set(['claude-haiku-5-5'])
    expect(isAllowed('open', new Set(), 'x', 'x')).toBe(true)
    expect(isAllowed('approval', granted, 'claude-haiku-5-5-20260901', 'claude-haiku-5-5')).toBe(true)
    expect(isAllowed('approval', granted, 'claude-opus-5-5', 'claude-opus-5-5')).toBe(false)
    expect(isAllowed('closed', new Set(['x']), 'x', 'x')).toBe(false)
  })

  test('is everybody to every model only where no rule says otherwise', () => {
    expect(isOpenToAll(settingsWith({}))).toBe(true)
    expect(isOpenToAll(settings)).toBe(false)
    expect(isOpenToAll(settingsWith({ models: { rules: [{ match: 'x', access: 'approval' }] } }))).toBe(false)
    expect(isOpenToAll(settingsWith({ models: { rules: [{ match: 'x', access: 'open' }] } }))).toBe(true)
    expect(isOpenToAll(settingsWith({ models: { default_access: 'approval' } }))).toBe(false)
  })
})

test('a model is replaced by the first alias that matches, and by nothing where none does', () => {
  const settings = settingsWith({
    model_replacements: { fast: 'claude-haiku-5-5', 'gpt-*': 'claude-sonnet-5-5' },
  })
  expect(replacementFor(settings, 'fast')).toBe('claude-haiku-5-5')
  expect(replacementFor(settings, 'gpt-5')).toBe('claude-sonnet-5-5')
  expect(replacementFor(settings, 'claude-opus-5-5')).toBe('claude-opus-5-5')
})
