import { describe, expect, test } from 'vitest'
import { AUDIT_ACTION_NAMES, AUDIT_ACTIONS, type AuditField } from '../../../core/audit/action.ts'
import type { AuditEvent, AuditSubject } from '../../../functions/audit.ts'
import { en } from '../../../site/src/lib/audit/en.ts'
import { actionLabel, toldOf } from '../../../site/src/lib/audit/sentence.ts'
import { zhCN } from '../../../site/src/lib/audit/zh-CN.ts'

const LANGUAGES = { en, 'zh-CN': zhCN }
type Locale = keyof typeof LANGUAGES

const subject = (ref: string, name: string, owner?: [id: number, itcode: string]): AuditSubject => ({
  ref,
  name,
  id: Number(ref.split(':')[1]),
  user_id: owner?.[0] ?? null,
  itcode: owner?.[1] ?? null,
})
const SUBJECTS = [
  subject('user:3', 'ann', [3, 'ann']),
  subject('user:4', 'ben', [4, 'ben']),
  subject('group:5', 'Research'),
  subject('key:9', 'laptop', [3, 'ann']),
  subject('application:6', 'claude-fable-5', [3, 'ann']),
]

function told(event: Partial<AuditEvent>, locale: Locale = 'en') {
  const format = {
    locale,
    money: (usd: number) => `$${usd}`,
    whole: String,
    time: (text: string) => text.slice(0, 10),
    reason: (text: string) => `«${text}»`,
  }
  const subjects = new Map(SUBJECTS.map((one) => [one.ref, one]))
  const whole: AuditEvent = {
    id: 1,
    at: '2026-11-23T12:00:00.000Z',
    actor_id: 1,
    actor_itcode: 'boss',
    admin_key_id: null,
    admin_key_name: null,
    action: 'user.update',
    target: 'user:3',
    before: null,
    after: null,
    ip: '192.0.2.1',
    request_id: null,
    ...event,
  }
  return toldOf(whole, { words: LANGUAGES[locale], format, subjects })
}
const said = (event: Partial<AuditEvent>, locale?: Locale) =>
  told(event, locale)
    .parts.map(({ text }) => text)
    .join('')
const limit = { action: 'limit.set', target: 'limit:user:3:monthly' }

describe('an event of the audit', () => {
  test.each(Object.keys(LANGUAGES) as Locale[])('of every action is a sentence in %s', (locale) => {
    for (const action of AUDIT_ACTION_NAMES) {
      const shape: {
        made?: readonly AuditField[]
        changed?: readonly AuditField[]
        removed?: readonly AuditField[]
        asked?: readonly AuditField[]
        counted?: true
      } = AUDIT_ACTIONS[action]
      const fields = shape.made ?? shape.changed ?? shape.removed ?? shape.asked ?? []
      const side = Object.fromEntries(fields.map((name) => [name, name === 'user_id' ? 3 : 'x']))
      const event = {
        action,
        target: 'key:9',
        before: shape.made || shape.asked ? null : side,
        after: shape.removed ? null : side,
      }
      const { parts, changes } = told(event, locale)
      const text = [...parts.map((part) => part.text), ...changes.map((one) => one.label)].join('|')
      expect([action, text]).toEqual([action, expect.not.stringMatching(/[{}]|undefined|_|^$/)])
      // Without a dot it is a word of the language.
      if (action.includes('.')) expect(text).not.toContain(action)
      expect(actionLabel(LANGUAGES[locale].sentences[action])).not.toMatch(/[{}]/)
    }
  })

  test('says both values of a limit, and whose it is', () => {
    const change = (before: object, after: object) =>
      said({ ...limit, before: { ...before }, after: { ...after } })
    expect(change({ amount_usd: 200 }, { amount_usd: 300 })).toBe(
      'boss raised the monthly limit of ann from $200 to $300',
    )
    expect(change({ amount_usd: 300 }, { amount_usd: 0 })).toBe(
      'boss lowered the monthly limit of ann from $300 to $0',
    )
    expect(change({ amount_usd: 300 }, { amount_usd: null })).toBe('boss lifted the monthly limit of ann')
    expect(change({ is_set: false, amount_usd: null }, { is_set: true, amount_usd: 9 })).toBe(
      'boss set the monthly limit of ann to $9',
    )
    const temporary = { temporary_usd: 50, temporary_until: '2026-12-01T00:00:00.000Z' }
    expect(change({ temporary_usd: null, temporary_until: null }, temporary)).toBe(
      'boss set the monthly limit of ann to $50 until 2026-12-01',
    )
    expect(
      said(
        { ...limit, target: 'limit:group_each:5:daily', before: { amount_usd: 1 }, after: { amount_usd: 2 } },
        'zh-CN',
      ),
    ).toBe('boss 将 Research 每位成员 的每日限额由 $1 提高到 $2')
  })

  test('leads to what it is about, and says the rest below', () => {
    const { parts, changes } = told({
      before: { role: 'user', budget_usd: 20, requests_per_minute: null },
      after: { role: 'auditor', budget_usd: 0, requests_per_minute: 9 },
    })
    expect(parts.filter(({ href }) => href)).toMatchObject([
      { text: 'boss', href: '/admin/users/1' },
      { text: 'ann', href: '/admin/users/3' },
    ])
    expect(changes).toEqual([
      { label: 'Role', text: 'from User to Auditor' },
      { label: 'Limit', text: 'from $20 to no limit' },
      { label: 'Requests per minute', text: 'from as configured to 9' },
    ])
    expect(said({ before: { budget_usd: 20 }, after: { budget_usd: 30 } })).toBe(
      'boss raised the limit of ann from $20 to $30',
    )
  })

  test('says who did it, whose it was and what was given', () => {
    const review = { user_id: 3, model: 'claude-fable-5', status: 'approved', note: 'For the demo' }
    const { parts, changes } = told({ action: 'application.approve', target: 'application:6', after: review })
    expect(parts.map(({ text }) => text).join('')).toBe('boss allowed ann to use claude-fable-5')
    expect(changes).toContainEqual({ label: 'Note', text: 'For the demo' })
    expect(said({ action: 'key.disable', target: 'key:9' })).toBe('boss switched off the key laptop (ann)')
    expect(said({ action: 'key.disable', target: 'key:9', actor_id: 3, actor_itcode: 'ann' })).toBe(
      'ann switched off the key laptop',
    )
    expect(said({ action: 'config.reload', target: 'config', actor_id: null, ip: null })).toBe(
      'The gateway reloaded the configuration',
    )
    expect(said({ action: 'login.failed', target: 'user:', after: { count: 1 } })).toContain('once')
    expect(said({ action: 'login.failed', target: 'user:ann', after: { count: 4 } })).toContain('4 times')
    const group = { action: 'group.members', target: 'group:5', after: { added: [3, 4], removed: [] } }
    expect(told(group).changes).toEqual([{ label: 'Added', text: 'ann, ben' }])
    const failed = { action: 'backend.ejected', target: 'backend:second', after: { reason: 'answered 500' } }
    expect(said({ ...failed, actor_id: null, ip: null }, 'zh-CN')).toBe(
      '后端 second 因故障被摘除：«answered 500»',
    )
    const paused = { action: 'user.pause', after: { reason: 'refused' }, actor_id: null, ip: null }
    expect(said(paused, 'zh-CN')).not.toContain('«')
    expect(said({ action: 'newer.thing', target: 'thing:1' })).toBe('boss did newer.thing with 1')
  })
})
