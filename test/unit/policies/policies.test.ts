import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isAvailable, withAvailableModels } from '../../../core/policies/available-models.ts'
import { checkSettings } from '../../../core/policies/check.ts'
import { canonical, isKnown, managedAnswer } from '../../../core/policies/managed-settings.ts'
import { type Policy, policyOf } from '../../../core/policies/match.ts'
import { type ManagedSettings, mergeSettings } from '../../../core/policies/merge.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const policy = (id: number, given: Partial<Policy> = {}): Policy => ({
  id,
  name: `p${id}`,
  priority: 100,
  groupIds: [],
  domains: [],
  settings: { id },
  ...given,
})

describe('the policy of a person', () => {
  const all = policy(1, { settings: { model: 'opus', cleanupPeriodDays: 7 } })
  const research = policy(2, { groupIds: [7], settings: { model: 'sonnet' } })
  const domain = policy(3, { domains: ['corp.test'], priority: 50, settings: { model: 'haiku' } })

  test('is the first by priority that names their group or domain, over that of everybody', () => {
    const person = { groupIds: [7], email: 'ann@corp.test' }
    expect(policyOf([all, research, domain], person)).toEqual({
      policies: [domain, all],
      settings: { model: 'haiku', cleanupPeriodDays: 7 },
    })
    expect(policyOf([all, research, domain], { ...person, email: 'ann@other.test' })?.policies).toEqual([
      research,
      all,
    ])
  })

  test.each([
    ['公司.cn', 'ann@xn--55qx5d.cn'],
    ['@Corp.test', 'ann@corp.test'],
  ])('is found by its domain however that is written: %s', (written, email) => {
    const ofDomain = policy(4, { domains: [written] })
    expect(policyOf([ofDomain], { groupIds: [], email })?.policies).toEqual([ofDomain])
  })

  test('is that of everybody for all others, and none where there is none', () => {
    const other = { groupIds: [], email: 'bob@sub.corp.test' }
    expect(policyOf([research, domain, all], other)?.policies).toEqual([all])
    expect(policyOf([research, domain], other)).toBeUndefined()
  })
})

describe('settings over settings', () => {
  test('replace what they name, and join what is forbidden, hooks and maps', () => {
    const base = {
      model: 'opus',
      availableModels: ['opus'],
      env: { A: '1', B: '1' },
      deniedMcpServers: [{ name: 'x' }],
      permissions: { allow: ['Read'], deny: ['Bash(rm *)'], ask: ['Edit'], defaultMode: 'plan' },
      hooks: { Stop: [{ a: 1 }], Start: [{ b: 1 }] },
    }
    const over = {
      availableModels: ['haiku'],
      env: { B: '2' },
      deniedMcpServers: [{ name: 'x' }, { name: 'y' }],
      permissions: { allow: ['Write'], deny: ['WebFetch', 'Bash(rm *)'] },
      hooks: { Stop: [{ a: 2 }] },
    }
    expect(mergeSettings(base, over)).toEqual({
      model: 'opus',
      availableModels: ['haiku'],
      env: { A: '1', B: '2' },
      deniedMcpServers: [{ name: 'x' }, { name: 'y' }],
      permissions: { allow: ['Write'], deny: ['Bash(rm *)', 'WebFetch'], ask: ['Edit'], defaultMode: 'plan' },
      hooks: { Stop: [{ a: 1 }, { a: 2 }], Start: [{ b: 1 }] },
    })
  })

  const at = (path: string, value: unknown): ManagedSettings =>
    Object.fromEntries([
      path.includes('.')
        ? [path.slice(0, path.indexOf('.')), at(path.slice(path.indexOf('.') + 1), value)]
        : [path, value],
    ])

  test.each([
    'permissions.deny',
    'permissions.ask',
    'disabledMcpjsonServers',
    'deniedMcpServers',
    'blockedMarketplaces',
    'hooks.Stop',
  ])('never take anything out of %s, which forbids or watches', (path) => {
    const both = at(path, ['of everybody', 'of one'])
    expect(mergeSettings(at(path, ['of everybody']), at(path, ['of one']))).toEqual(both)
    expect(mergeSettings({}, both)).toEqual(both)
  })

  test.each(['env', 'modelOverrides', 'skillOverrides', 'permissions', 'desktop'])(
    'replace the keys of %s that they name, and no others',
    (name) => {
      const merged = mergeSettings({ [name]: { a: 1, b: 1 } }, { [name]: { b: 2 } })
      expect(merged).toEqual({ [name]: { a: 1, b: 2 } })
    },
  )

  test('replace what is no list by one', () => {
    const hooks = (stop: unknown) => ({ hooks: { Stop: stop }, deniedMcpServers: stop })
    expect(mergeSettings(hooks('none'), hooks(['one']))).toEqual(hooks(['one']))
    expect(mergeSettings(hooks(['one']), hooks('none'))).toEqual(hooks('none'))
  })
})

describe('available models', () => {
  test.each([
    ['opus', 'claude-opus-4-7', true],
    ['opus', 'claude-sonnet-5-5', false],
    ['claude-opus-4', 'claude-opus-4-7', true],
    ['claude-opus-4', 'claude-opus-45', false],
    ['claude-sonnet-5-5', 'claude-sonnet-5-5', true],
    ['Claude-Sonnet-5-5', 'claude-sonnet-5-5-20260101', true],
  ])('%s and %s: %s', (entry, model, expected) => {
    expect(isAvailable([entry], model, model)).toBe(expected)
  })

  test('are derived where a policy names none, never empty, and enforced', () => {
    expect(withAvailableModels({ model: 'opus' }, ['claude-opus-5-5'])).toEqual({
      model: 'opus',
      availableModels: ['claude-opus-5-5'],
      enforceAvailableModels: true,
    })
    expect(withAvailableModels({ model: 'opus' }, [])).toEqual({ model: 'opus' })
    expect(withAvailableModels({ availableModels: ['opus'] }, ['x'])).toEqual({ availableModels: ['opus'] })
  })
})

describe('a checksum', () => {
  test('is of the sorted text without white space', () => {
    const settings = { b: { d: [1, { z: null, y: 'ü' }], c: true }, a: '1' }
    const text = '{"a":"1","b":{"c":true,"d":[1,{"y":"ü","z":null}]}}'
    expect(canonical(settings)).toBe(text)
    const { checksum, uuid } = managedAnswer(settings, 'person', sha256)
    expect(checksum).toBe(`sha256:${sha256(text)}`)
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  test.each([
    [undefined, false],
    ['"sha256:1"', true],
    ['W/"sha256:0", "sha256:1"', true],
    ['*', true],
    ['sha256:1', false],
  ])('If-None-Match %s: %s', (header, expected) => {
    expect(isKnown(header, 'sha256:1')).toBe(expected)
  })
})

describe('a document', () => {
  test('is refused for what Claude Code does not take, and warned of for what is not known', () => {
    const { problems, warnings } = checkSettings({
      mcpServers: {},
      model: 7,
      permissions: { deny: 'Bash' },
      env: { A: 1 },
      hooks: [],
      newThing: true,
    })
    expect(Object.keys(problems).toSorted()).toEqual([
      'env',
      'hooks',
      'mcpServers',
      'model',
      'permissions.deny',
    ])
    expect(warnings).toMatchObject([{ code: 'setting_not_known', params: { name: 'newThing' } }])
  })

  test('that would lock people out is warned of', () => {
    expect(checkSettings({ availableModels: ['haiku'] }).warnings).toMatchObject([
      { code: 'first_model_left_out', params: { model: 'claude-opus-4-7' } },
    ])
    expect(checkSettings({ availableModels: ['haiku'], model: 'haiku' }).warnings).toEqual([])
    expect(checkSettings({ availableModels: ['haiku'], enforceAvailableModels: true }).warnings).toEqual([])
    expect(checkSettings({ availableModels: ['opus'] }).warnings).toEqual([])
  })
})
