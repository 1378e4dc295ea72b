import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { accessOf, isAllowed, isFor, mayUseAll, replacementFor } from '../../../core/models/access.ts'
import { NO_RULES } from '../../support/call.ts'
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
    expect(accessOf(settings, NO_RULES, 'claude-opus-5-5', 'claude-opus-5-5')).toBe('closed')
    expect(accessOf(settings, NO_RULES, 'claude-opus-5-5-20260901', 'claude-opus-5-5')).toBe('closed')
    expect(accessOf(settings, NO_RULES, 'claude-opus-4-7', 'claude-opus-4-7')).toBe('open')
    expect(accessOf(settings, NO_RULES, 'claude-haiku-5-5', 'claude-haiku-5-5')).toBe('approval')
  })

  test('is not led around by characters that look alike or like nothing', () => {
    for (const name of [
      'claude-\u200bopus-5-5',
      'claude\u2011opus\u20115\u20115',
      '\uff43laude-opus-5-5',
      'CLAUDE-opus-5-5',
    ]) {
      expect(accessOf(settings, NO_RULES, name, name)).toBe('closed')
    }
  })

  test('is by grant where approval is needed, and never where it is closed', () => {
    const granted = new Set(['claude-haiku-5-5'])
    expect(isAllowed('open', new Set(), 'x', 'x')).toBe(true)
    expect(isAllowed('approval', granted, 'claude-haiku-5-5-20260901', 'claude-haiku-5-5')).toBe(true)
    expect(isAllowed('approval', granted, 'claude-opus-5-5', 'claude-opus-5-5')).toBe(false)
    expect(isAllowed('closed', new Set(['x']), 'x', 'x')).toBe(false)
  })

  test('is closed by any group, else opened by one, whatever the configuration says', () => {
    const of = (model: string, allow: string[], deny: string[] = []) =>
      accessOf(settings, { allow, deny }, model, model)
    expect(of('claude-opus-5-5', ['claude-opus-*'])).toBe('open')
    expect(of('claude-haiku-5-5', ['claude-haiku-*'])).toBe('open')
    expect(of('claude-opus-4-7', ['*'], ['claude-opus-4-*'])).toBe('closed')
    expect(of('claude-haiku-5-5', ['claude-opus-*'])).toBe('approval')
    expect(
      accessOf(
        settings,
        { allow: [], deny: ['claude-opus-4-7'] },
        'CLAUDE-opus-4-7-20260101',
        'claude-opus-4-7',
      ),
    ).toBe('closed')
  })

  test('a key with a list is for what is in it, by name or canonical name', () => {
    expect(isFor({ only: undefined }, 'x', 'x')).toBe(true)
    expect(isFor({ only: ['claude-haiku-*'] }, 'claude-haiku-5-5', 'claude-haiku-5-5')).toBe(true)
    expect(isFor({ only: ['claude-haiku-5-5'] }, 'claude-haiku-5-5-20260901', 'claude-haiku-5-5')).toBe(true)
    expect(isFor({ only: ['claude-haiku-*'] }, 'claude-opus-5-5', 'claude-opus-5-5')).toBe(false)
  })

  test('is to every model for nobody from whom a group or the key keeps one', () => {
    expect(mayUseAll(settingsWith({}), { ...NO_RULES, deny: ['x'] })).toBe(false)
    expect(mayUseAll(settingsWith({}), { ...NO_RULES, only: ['*'] })).toBe(false)
    expect(mayUseAll(settings, { ...NO_RULES, allow: ['claude-*'] })).toBe(false)
    expect(mayUseAll(settings, { ...NO_RULES, allow: ['*'] })).toBe(true)
  })

  test('is everybody to every model only where no rule says otherwise', () => {
    expect(mayUseAll(settingsWith({}), NO_RULES)).toBe(true)
    expect(mayUseAll(settings, NO_RULES)).toBe(false)
    expect(
      mayUseAll(settingsWith({ models: { rules: [{ match: 'x', access: 'approval' }] } }), NO_RULES),
    ).toBe(false)
    expect(mayUseAll(settingsWith({ models: { rules: [{ match: 'x', access: 'open' }] } }), NO_RULES)).toBe(
      true,
    )
    expect(mayUseAll(settingsWith({ models: { default_access: 'approval' } }), NO_RULES)).toBe(false)
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
