/** Invitations: who may use them, and what they give. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { ownAmounts } from '../../core/limits/spend-limit.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { listMembers } from '../../core/organisation/members.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'

const DAY = 24 * 60 * 60_000

describe('an invitation', () => {
  let app: App
  let admin: Browser & { id: number }
  beforeEach(async () => {
    app = await startApp({
      server: { public_url: ORIGIN },
      auth: {
        session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a',
        auto_register: false,
        email_domain: 'corp.test',
        admin_itcode: 'admin',
      },
      organisation: { name: 'Example Ltd' },
    })
    admin = await app.signIn('admin', 'admin')
  })
  afterEach(() => app.close())
  const invite = async (body: object) => {
    const answer = await admin.post('/admin/api/invitations', body)
    expect(answer.status).toBe(201)
    return answer.body.invitations[0]
  }
  const ask = (browser: Browser, itcode: string, more: object = {}) =>
    browser.post('/api/auth/send-code', { itcode, ...more })
  /** Asks for a code with the invitation and enters it. */
  const join = async (itcode: string, more: object = {}) => {
    const browser = app.browser()
    const sent = app.mails.length
    const asked = await ask(browser, itcode, more)
    await app.settled()
    if (app.mails.length === sent) return { status: asked.status, joined: false, body: asked.body, browser }
    const entered = await browser.post('/api/auth/login', { itcode, code: app.code() })
    return { status: entered.status, joined: entered.status === 200, body: entered.body, browser }
  }

  test('for an address needs no link, and gives role, groups and limit', async () => {
    const group = await createGroup({ ...app.deps, actor: COMMAND_LINE }, { name: 'research' })
    await invite({
      email: 'Ann@corp.test',
      name: 'Ann Li',
      role: 'billing',
      group_ids: [group.id],
      limit_usd: 12.5,
      limit_period: 'weekly',
    })
    expect((await join('bob')).joined).toBe(false)
    const { joined, body } = await join('ann')
    expect(joined).toBe(true)
    expect(body.user).toMatchObject({ itcode: 'ann', name: 'Ann Li', role: 'billing' })
    const members = await listMembers(app.db, group.id)
    expect(members.map(({ itcode }) => itcode)).toEqual(['ann'])
    expect(await ownAmounts(app.db, [body.user.id], 'weekly')).toEqual(new Map([[body.user.id, 12_500_000]]))
    expect((await join('ann')).joined).toBe(true)
    const [listed] = (await admin.get('/admin/api/invitations')).body.invitations
    expect(listed).toMatchObject({ status: 'accepted', uses: 1 })
  })

  test('gives a limit that the newcomer is told when they sign in', async () => {
    await invite({ email: 'ann@corp.test', limit_usd: 7, limit_period: 'monthly' })
    expect((await join('ann')).body.user).toMatchObject({ budget_usd: 7 })
  })

  test('of a link makes as many accounts as it may, also for people who ask at once', async () => {
    const { secret, link } = await invite({ most_uses: 3 })
    expect(link).toBe(`${ORIGIN}/login#invitation=${secret}`)
    const joined = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const browser = app.browser()
        await ask(browser, `p${i}`, { invitation: secret })
        await app.settled()
        const code = app.mails.find(({ to }) => to === `p${i}@corp.test`)?.code
        return (await browser.post('/api/auth/login', { itcode: `p${i}`, code })).status
      }),
    )
    expect(joined.filter((status) => status === 200)).toHaveLength(3)
    expect(joined.filter((status) => status === 403)).toHaveLength(5)
    expect((await app.db.query.users.findMany()).length).toBe(4)
    expect((await ask(app.browser(), 'late', { invitation: secret })).status).toBe(403)
  })

  test('is refused for another address, after its time, and when it was taken back', async () => {
    const { secret } = await invite({ email: 'ann@corp.test' })
    const other = await ask(app.browser(), 'bob', { invitation: secret })
    expect([other.status, other.body.error.code]).toEqual([403, 'invalid_invite_code'])
    const shown = await app.browser().post('/api/auth/invitation', { invitation: secret })
    expect(shown.body).toMatchObject({ email: 'ann@corp.test', organisation: 'Example Ltd' })
    const browser = app.browser()
    await ask(browser, 'ann', { invitation: secret })
    await app.settled()
    const [{ id }] = (await admin.get('/admin/api/invitations')).body.invitations
    expect((await admin.delete(`/admin/api/invitations/${id}`)).status).toBe(200)
    // The code was mailed before.
    const late = await browser.post('/api/auth/login', { itcode: 'ann', code: app.code() })
    expect([late.status, late.body.error.code]).toEqual([403, 'invalid_invite_code'])
    const { secret: next } = await invite({ email: 'ann@corp.test' })
    app.clock.advance(15 * DAY)
    expect((await app.browser().post('/api/auth/invitation', { invitation: next })).status).toBe(403)
    expect((await join('ann')).joined).toBe(false)
  })

  test('that gives rights is bound to one address', async () => {
    for (const body of [{ role: 'admin' }, { role: 'auditor', email: 'a@corp.test', most_uses: 2 }]) {
      const answer = await admin.post('/admin/api/invitations', body)
      expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ['role']])
    }
  })

  test('that gives a limit of nothing gives that, and what it gives is in the audit', async () => {
    const { group } = (await admin.post('/admin/api/groups', { name: 'here' })).body
    await invite({ email: 'ann@corp.test', limit_usd: 0, group_ids: [group.id] })
    const { browser, body } = await join('ann@corp.test')
    expect((await browser.get('/api/limits')).body.caps).toMatchObject([
      { period: 'monthly', amount_usd: 0, source: 'user' },
    ])
    const told = (await app.audit()).filter(({ action }) => /^(invitation|group\.member)/.test(action))
    expect(told.map(({ action, target, after }) => [action, target, JSON.parse(after ?? '')])).toMatchObject([
      [
        'invitation.create',
        'invitation:ann@corp.test',
        { group_ids: [group.id], amount_usd: 0, period: 'monthly' },
      ],
      ['group.member_add', `group:${group.id}`, { user_id: body.user.id, group_role: 'member' }],
    ])
  })

  test('names groups whose members are kept here only, because nobody could be put into another', async () => {
    const { group } = (await admin.post('/admin/api/groups', { name: 'here' })).body
    const oidc = { name: 'there', source: 'oidc', external_id: 'g-1' }
    const { group: elsewhere } = (await admin.post('/admin/api/groups', oidc)).body
    for (const other of [elsewhere.id, 999]) {
      const answer = await admin.post('/admin/api/invitations', { group_ids: [group.id, other] })
      expect([answer.status, answer.body.error.problems]).toMatchObject([
        400,
        { group_ids: { code: 'kept_groups' } },
      ])
    }
    expect((await invite({ group_ids: [group.id] })).group_ids).toEqual([group.id])
  })

  test('cannot be used by tags of one mailbox', async () => {
    const { secret } = await invite({ most_uses: 5 })
    expect((await join('ann+1', { invitation: secret })).joined).toBe(false)
  })

  test('comes from a list: people with an account are skipped, a wrong line is named and changes nothing', async () => {
    await createGroup({ ...app.deps, actor: COMMAND_LINE }, { name: 'R&D, Berlin' })
    const list = 'email,name,groups\nann@corp.test;"Li, Ann";"R&D, Berlin"\nadmin\nbob\nann@corp.test'
    const made = await admin.post('/admin/api/invitations', { list })
    expect(made.status).toBe(201)
    const named = made.body.invitations.map(({ email, name, group_ids }: Record<string, unknown>) => [
      email,
      name,
      group_ids,
    ])
    expect(named).toEqual([
      ['ann@corp.test', 'Li, Ann', [1]],
      ['bob@corp.test', null, []],
    ])
    expect(made.body.skipped).toEqual(['admin@corp.test'])
    for (const [wrong, problem] of [
      ['x@corp.test\nnot an address', 'line 2'],
      ['x@corp.test,X,nowhere', 'nowhere'],
      ['x@corp.test,X\u001b[31m', 'line 1'],
      ['x@corp.test\ny@corp.test,"Y\u0000"', 'line 2'],
      ['\n\n', 'at least one'],
    ]) {
      const answer = await admin.post('/admin/api/invitations', { list: wrong })
      expect(answer.status).toBe(400)
      expect(answer.body.error.fields.list).toContain(problem)
    }
    expect((await admin.get('/admin/api/invitations')).body.total).toBe(2)
  })

  test('of a thousand people is one request, and no secret is kept', async () => {
    const list = Array.from({ length: 1000 }, (_, i) => `person${i}@corp.test`).join('\n')
    const made = await admin.post('/admin/api/invitations', { list })
    expect(made.body.invitations).toHaveLength(1000)
    const rows = JSON.stringify([await app.db.query.invitations.findMany(), await app.audit()])
    expect(rows).not.toContain(made.body.invitations[0].secret)
    expect((await admin.post('/admin/api/invitations', { list: `${list}\none@corp.test` })).status).toBe(400)
  })
})
