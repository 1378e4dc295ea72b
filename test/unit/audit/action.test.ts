import { describe, expect, expectTypeOf, test } from 'vitest'
import { AUDIT_ACTIONS, type AuditAction, type Audited } from '../../../core/audit/action.ts'
import { changeOf } from '../../../core/audit/change.ts'

describe('audited actions', () => {
  test('are a closed table', () => {
    expect(AUDIT_ACTIONS).toMatchSnapshot()
  })

  test('that are not in it do not compile, nor rows that tell too little or misspell', () => {
    expectTypeOf<'key.forget'>().not.toExtend<AuditAction>()
    expectTypeOf<{ action: 'object.adopt'; after: { backend: string } }>().not.toExtend<Audited>()
    const misspelt: Audited = {
      action: 'user.update',
      before: {},
      // @ts-expect-error: money is told in dollars.
      after: { budget_micros: 1 },
    }
    // @ts-expect-error: this one tells of nothing.
    const chatty: Audited = { action: 'key.delete', after: { name: 'x' } }
    expect([misspelt.action, chatty.action]).toEqual(['user.update', 'key.delete'])
  })
})

test('a change tells the fields that differ, on both sides', () => {
  const before = { name: 'x', weight: 1, at: null }
  expect(changeOf<object>(before, { name: 'y', weight: 1, at: undefined })).toEqual({
    before: { name: 'x' },
    after: { name: 'y' },
  })
  expect(changeOf<object>(before, { at: 'now', weight: 0 })).toEqual({
    before: { weight: 1, at: null },
    after: { weight: 0, at: 'now' },
  })
})
