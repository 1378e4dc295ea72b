import { describe, expect, test } from 'vitest'
import {
  type Draft,
  isElsewhere,
  newDraft,
  type Stored,
  settingsOf,
  stateOf,
  storedFrom,
} from '../../../site/src/lib/backends/draft.ts'

const VIEW: NonNullable<Parameters<typeof storedFrom>[2]> = {
  name: 'one',
  source: 'api',
  type: 'anthropic',
  url: 'https://a.test',
  serves: [],
  weight: 2,
  priority: 0,
  proxy: 'http://proxy.test:3128',
  headers: ['x-team'],
  enabled: true,
  state: 'healthy',
  reason: '',
  since: null,
  retry_at: null,
  disabled_by: null,
  consecutive_failures: 0,
  in_flight: 0,
  models: [],
  secrets: ['api_key', 'proxy', 'headers'],
}
const SETTINGS = {
  name: 'one',
  url: 'https://a.test',
  weight: 2,
  pricing: [],
  models: ['claude-*', { id: 'claude-opus-5-5', upstream: 'big' }],
}
const storedOne = () => storedFrom('one', SETTINGS, VIEW)
const changed = (stored: Stored, change: Partial<Draft>): Draft => ({
  ...structuredClone(stored.before),
  ...change,
})

describe('what is typed of a new backend', () => {
  test('becomes the settings of its type alone', () => {
    const draft = { ...newDraft(), name: ' one ', region: 'us-east-1', admin: '' }
    draft.secrets.api_key = ' key '
    draft.secrets.admin_key = 'of-another-type'
    draft.secrets.headers = 'x-team: a: b\n\n'
    expect(settingsOf(draft, undefined)).toMatchObject({
      name: 'one',
      type: 'anthropic',
      api_key: 'key',
      admin_key: 'of-another-type',
      headers: { 'x-team': 'a: b' },
    })
    const moved: Draft = { ...draft, type: 'bedrock', url: '', proof: 'aws_keys', models: 'a\nb = arn:x=y' }
    moved.secrets.access_key_id = 'id'
    moved.secrets.secret_access_key = 'secret'
    expect(settingsOf(moved, undefined)).toEqual({
      name: 'one',
      type: 'bedrock',
      region: 'us-east-1',
      weight: 1,
      priority: 0,
      price_multiplier: 1,
      models: ['a', { id: 'b', upstream: 'arn:x=y' }],
      credentials: { access_key_id: 'id', secret_access_key: 'secret' },
      headers: { 'x-team': 'a: b' },
    })
  })
})

describe('what is typed of a stored one', () => {
  test('is nothing while it is as it was, and then what changed', () => {
    const stored = storedOne()
    expect(settingsOf(stored.before, stored)).toEqual({})
    expect(settingsOf(changed(stored, { weight: 3, models: '' }), stored)).toEqual({
      weight: 3,
      models: null,
    })
  })

  test('needs all secrets again where it decides where they go', () => {
    const stored = storedOne()
    const parts = ['proof', 'admin_key', 'proxy', 'headers'] as const
    const states = (draft: Draft) => parts.map((part) => stateOf(draft, stored, part))
    expect(states(changed(stored, { weight: 3 }))).toEqual(['kept', 'typed', 'kept', 'kept'])
    for (const change of [{ url: 'https://b.test' }, { key_header: 'authorization' }, { proxy: '' }]) {
      expect(isElsewhere(changed(stored, change), stored)).toBe(true)
      expect(states(changed(stored, change))).toEqual(['typed', 'typed', 'typed', 'typed'])
    }
    const removed = changed(stored, {})
    removed.parts.headers = 'removed'
    expect(states(removed)).toEqual(['typed', 'typed', 'typed', 'removed'])
    removed.secrets.api_key = 'again'
    removed.proxy = 'http://ann:b@proxy.test:3128'
    expect(settingsOf(removed, stored)).toEqual({
      api_key: 'again',
      credentials: null,
      proxy: 'http://ann:b@proxy.test:3128',
      headers: null,
    })
  })

  test('takes away what another type does not have', () => {
    const stored = storedOne()
    const draft = changed(stored, { type: 'vertex', url: '', region: 'eu', project: 'p', proof: 'platform' })
    draft.models = 'claude-opus-5-5'
    draft.parts.proxy = 'removed'
    draft.parts.headers = 'removed'
    expect(settingsOf(draft, stored)).toEqual({
      type: 'vertex',
      url: null,
      region: 'eu',
      project: 'p',
      key_header: null,
      openai: null,
      models: ['claude-opus-5-5'],
      api_key: null,
      credentials: 'platform',
      proxy: null,
      headers: null,
    })
  })

  test('is all secrets of one that is not in force', () => {
    const stored = storedFrom('one', SETTINGS, undefined)
    expect(stateOf(stored.before, stored, 'proof')).toBe('typed')
    const draft = changed(stored, {})
    draft.secrets.api_key = 'again'
    expect(settingsOf(draft, stored)).toEqual({ api_key: 'again', credentials: null })
  })
})
