/** People leave: what would stop is seen before, what ends ends for good, and their name is free when an administrator says so. */
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import {
  auditEvents,
  invitations,
  loginCodes,
  scimUsers,
  sessions,
  usageLogs,
  users,
} from '../../core/db/schema.ts'
import { createGroup } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import { eraseUser } from '../../core/users/erase.ts'
import { ensureAdmin } from '../../core/users/first-admin.ts'
import { createUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { type FakeUpstream, messageJson, messageStream, startUpstream } from '../support/upstream.ts'

const ASK = { model: 'claude-opus-5-5', max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] }

describe('a person who leaves', () => {
  let app: App
  let upstream: FakeUpstream
  let boss: Browser & { id: number }
  let ann: Browser & { id: number }
  let secret: string
  let keyId: number
  beforeEach(async () => {
    upstream = await startUpstream()
    upstream.answer({ headers: { 'content-type': 'application/json' }, chunks: [messageJson()] })
    app = await startApp({
      backends: [{ name: 'a', url: upstream.url, api_key: 'k' }],
      auth: { session_secret: 'b7e1d0c4a96f42358e0d7a1c5f3b9e62d84a', admin_itcode: 'boss' },
    })
    boss = await app.signIn('boss', 'admin')
    ann = await app.signIn('ann@corp.test')
    const { key } = (await ann.post('/api/keys', { name: 'build' })).body
    secret = key.key
    keyId = key.id
  })
  afterEach(async () => {
    await app.close()
    await upstream.stop()
  })

  const call = (agent = 'claude-cli/2.0', more: object = {}) =>
    app.open('/v1/messages', {
      method: 'POST',
      headers: { 'x-api-key': secret, 'content-type': 'application/json', 'user-agent': agent },
      body: JSON.stringify({ ...ASK, ...more }),
    })
  const statusOf = async (agent?: string) => {
    const answer = await call(agent)
    await answer.text()
    return answer.status
  }
  const remove = (id = ann.id) => boss.delete(`/admin/api/users/${id}`)
  const act = (what: 'revive' | 'release', id = ann.id) => boss.post(`/admin/api/users/${id}/${what}`)
  const parts = () => ({ ...app.deps, actor: COMMAND_LINE })

  test('takes nothing along unseen: which programs used which key is told before', async () => {
    const unused = (await ann.post('/api/keys', { name: 'unused' })).body.key.id
    for (const agent of ['claude-cli/2.0', 'python-httpx/1', 'python-requests/2']) await statusOf(agent)
    await app.rows()
    const told = (await boss.get(`/admin/api/users/${ann.id}/leaving`)).body
    expect(told.admin_keys).toEqual([])
    expect((await boss.get('/admin/api/users/999/leaving')).status).toBe(404)
    expect(told.keys).toMatchObject([
      {
        id: keyId,
        used_by_program: true,
        clients: [
          { client: 'python', requests: 2 },
          { client: 'claude-code', requests: 1 },
        ],
      },
      { id: unused, used_by_program: false, clients: [] },
    ])
    app.clock.advance(31 * 86_400_000)
    const later = await app.signIn('boss', 'admin')
    expect((await later.get(`/admin/api/users/${ann.id}/leaving`)).body.keys).toMatchObject([
      { clients: [] },
      {},
    ])
  })

  test('may leave a key to a service account, to which its calls are booked from then on', async () => {
    expect(await statusOf()).toBe(200)
    const robot = await createUser(parts(), {
      itcode: 'robot',
      kind: 'service',
      role: 'user',
      quotaTokens: 0,
    })
    await boss.put('/admin/api/limits', {
      scope: 'user',
      scope_id: robot.id,
      period: 'monthly',
      amount_usd: 9,
    })
    const move = (id: number, user_id: number) => boss.post(`/admin/api/keys/${id}/move`, { user_id })
    expect((await move(keyId, ann.id)).status).toBe(400)
    expect((await move(keyId, robot.id)).status).toBe(200)
    expect((await move(999_999, robot.id)).status).toBe(404)
    // Whatever changes of the former owner, the key is the account's.
    await remove()
    expect(await statusOf('python-httpx/1')).toBe(200)
    expect((await app.rows()).map(({ userId }) => userId)).toEqual([ann.id, robot.id])
    expect((await app.audit()).find(({ action }) => action === 'key.move')).toMatchObject({
      target: `key:${keyId}`,
      before: JSON.stringify({ user_id: ann.id, billing_group_id: null }),
    })
    // What it was used for before is still the key's.
    const get = async (path: string) => boss.get(`/admin/api/${path}?key_id=${keyId}`)
    const { totals, by_user } = (await get('usage/summary')).body
    expect([totals.requests, by_user.length]).toEqual([2, 2])
    expect((await get('usage/daily')).body.stats).toEqual([expect.objectContaining({ requests: 2 })])
    expect((await get('usage/hourly')).body.stats).toEqual([expect.objectContaining({ requests: 2 })])
    expect((await get('usage')).body).toMatchObject({
      total: 2,
      logs: [{ user_id: robot.id }, { user_id: ann.id }],
    })
    expect((await get('usage/export')).text.trim().split('\r\n')).toHaveLength(3)
    expect((await get('reports')).body.totals.requests).toBe(2)
    const listed = async (query: string) => (await boss.get(`/admin/api/keys?${query}`)).body.keys
    const [key] = (await listed('sort=cost_usd&order=desc')) as { id: number; requests: number }[]
    expect(key).toMatchObject({ id: keyId, requests: 2 })
    expect((await listed('never_used=true')).map(({ id }: { id: number }) => id)).not.toContain(keyId)
  })

  test('is deleted with sessions, codes, keys and memberships in one step, which one row of the audit tells', async () => {
    const group = await createGroup(parts(), { name: 'team' })
    await setMember(parts(), group.id, ann.id, 'lead')
    const phone = app.browser()
    await phone.post('/api/auth/send-code', { itcode: 'ann@corp.test' })
    await app.settled()
    const code = app.code()
    expect((await remove()).status).toBe(200)
    expect((await ann.get('/api/auth/me')).status).toBe(401)
    expect((await phone.post('/api/auth/login', { itcode: 'ann@corp.test', code })).status).toBe(401)
    expect(await statusOf()).toBe(401)
    const [told] = (await app.audit()).filter(({ action }) => action === 'user.delete')
    expect(told).toMatchObject({ actorId: boss.id, target: `user:${ann.id}` })
    expect(JSON.parse(told?.before ?? '')).toEqual({
      itcode: 'ann@corp.test',
      role: 'user',
      keys: [keyId],
      group_ids: [group.id],
      sessions: 1,
    })
    expect((await remove()).status).toBe(404)
  })

  test('is not listed, found or changed any more, gets no codes, and reports keep the name', async () => {
    const group = await createGroup(parts(), { name: 'team' })
    await setMember(parts(), group.id, ann.id, 'member')
    expect(await statusOf()).toBe(200)
    await app.rows()
    await remove()
    const names = async (query: string) =>
      (await boss.get(`/admin/api/users${query}`)).body.users.map(({ itcode }: { itcode: string }) => itcode)
    expect(await names('')).toEqual(['boss'])
    expect(await names('?q=ann')).toEqual([])
    expect(await names('?deleted=true')).toEqual(['ann@corp.test'])
    expect((await boss.get(`/admin/api/users/${ann.id}`)).body.user).toMatchObject({
      status: 'disabled',
      deleted_at: expect.any(String),
    })
    expect((await boss.get(`/admin/api/groups/${group.id}`)).body.members).toEqual([])
    expect((await boss.put(`/admin/api/users/${ann.id}`, { status: 'active' })).status).toBe(404)
    expect((await boss.put(`/admin/api/groups/${group.id}/members/${ann.id}`, {})).status).toBe(404)
    const sent = app.mails.length
    await app.browser().post('/api/auth/send-code', { itcode: 'ann@corp.test' })
    await app.settled()
    expect(app.mails).toHaveLength(sent)
    const usage = await boss.get('/admin/api/usage?page_size=5')
    expect(usage.text).toContain('ann@corp.test')
  })

  test('keeps the name, until it is released for a new hire, who is somebody else', async () => {
    await remove()
    const taken = await boss.post('/admin/api/users', { itcode: 'ann@corp.test' })
    expect([taken.status, taken.body.error.message]).toEqual([
      409,
      expect.stringContaining('release its name'),
    ])
    expect((await act('release')).body.user).toEqual({ id: ann.id, itcode: `ann@corp.test#${ann.id}` })
    expect((await act('release')).status).toBe(409)
    const hired = await app.signIn('ann@corp.test')
    expect(hired.id).not.toBe(ann.id)
    expect((await act('revive')).status).toBe(409)
    await remove(hired.id)
    await act('release', hired.id)
    expect((await act('revive')).body.user).toEqual({ id: ann.id, itcode: 'ann@corp.test' })
  })

  test('and somebody who has another address by now, can be parted from a name that a new hire needs', async () => {
    expect((await act('release')).status).toBe(409)
    await boss.put(`/admin/api/users/${ann.id}`, { email: 'ann.lee@corp.test' })
    expect((await act('release')).body.user).toEqual({ id: ann.id, itcode: `ann@corp.test#${ann.id}` })
    expect((await act('release')).status).toBe(409)
    expect(await statusOf()).toBe(200)
    const hired = await app.signIn('ann@corp.test')
    expect(hired.id).not.toBe(ann.id)
    const kept = await boss.get(`/admin/api/users/${ann.id}`)
    expect(kept.body.user.email).toBe('ann.lee@corp.test')
    expect((await boss.put(`/admin/api/users/${ann.id}`, { email: null })).status).toBe(409)
    await remove()
    expect((await act('release')).status).toBe(200)
    expect((await boss.post('/admin/api/users', { itcode: 'lee', email: 'ann.lee@corp.test' })).status).toBe(
      201,
    )
  })

  test('comes back without an address or name that somebody else has by now, to whom their codes would go', async () => {
    const made = async (body: object) => (await boss.post('/admin/api/users', body)).body.user?.id
    const old = await made({ itcode: 'old', email: 'shared@corp.test' })
    await remove(old)
    const hired = await app.signIn('shared@corp.test')
    expect((await act('revive', old)).status).toBe(200)
    const addresses = await app.db.select({ id: users.id, email: users.email }).from(users)
    expect(addresses.find(({ id }) => id === old)?.email).toBe(null)
    await remove(hired.id)
    await act('release', hired.id)
    expect(await made({ itcode: 'next', email: 'shared@corp.test' })).toBeGreaterThan(hired.id)
    expect((await act('revive', hired.id)).status).toBe(409)
  })

  test('comes back as a plain user without keys, by an explicit choice alone', async () => {
    await app.db.update(users).set({ role: 'billing' }).where(eq(users.id, ann.id))
    expect((await act('revive')).status).toBe(404)
    expect((await act('release')).status).toBe(409)
    await remove()
    expect((await act('revive')).status).toBe(200)
    expect((await boss.get(`/admin/api/users/${ann.id}`)).body.user).toMatchObject({
      role: 'user',
      status: 'active',
    })
    expect(await statusOf()).toBe(401)
    const back = await app.signIn('ann@corp.test')
    expect([back.id, (await back.get('/api/keys')).body.keys]).toEqual([ann.id, []])
  })

  test('gets the end of an answer that is under way, which is booked', async () => {
    const [first = '', ...rest] = messageStream()
    const gone = Promise.withResolvers<void>()
    upstream.answer({ chunks: [first, gone.promise, ...rest] })
    const answer = await call('claude-cli/2.0', { stream: true })
    const reader = answer.body?.getReader()
    await reader?.read()
    await remove()
    gone.resolve()
    let text = ''
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      text += new TextDecoder().decode(part.value)
    }
    expect(text).toContain('message_stop')
    expect(await app.rows()).toMatchObject([{ userId: ann.id, outcome: 'ok' }])
  })

  test('Z08: is never the last active administrator, also of two who delete each other at once', async () => {
    expect((await remove(boss.id)).body.error.message).toBe(
      'There must be another active administrator first.',
    )
    const other = await app.signIn('other', 'admin')
    const answers = await Promise.all([remove(other.id), other.delete(`/admin/api/users/${boss.id}`)])
    expect(answers.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1)
    expect(await app.db.$count(users, eq(users.status, 'active'))).toBe(2)
  })

  test('never comes back as the first administrator', async () => {
    const other = await app.signIn('other', 'admin')
    await other.delete(`/admin/api/users/${boss.id}`)
    await app.db.update(users).set({ status: 'disabled' }).where(eq(users.id, other.id))
    expect(await ensureAdmin(app.deps)).toBe(undefined)
    expect(await app.db.$count(users, eq(users.status, 'active'))).toBe(1)
  })

  test('takes invitations along that were to them or by them', async () => {
    const made = { role: 'user', groupIds: '[]', mostUses: 1, createdAt: 1, expiresAt: 9e15 } as const
    await app.db.insert(invitations).values([
      { ...made, hash: '1', email: 'ann@corp.test' },
      { ...made, hash: '2', createdBy: ann.id },
      { ...made, hash: '3', createdBy: boss.id, email: 'carl@corp.test' },
    ])
    await remove()
    const open = (await app.db.select().from(invitations)).filter(({ revokedAt }) => revokedAt === null)
    expect(open.map(({ hash }) => hash)).toEqual(['3'])
  })

  test('is erased by an administrator who signed in just now and names them, and the audit tells who did it', async () => {
    const erase = (itcode: string, by: Browser = boss) =>
      by.post(`/admin/api/users/${ann.id}/erase`, { itcode })
    expect((await erase('ann@corp.test')).status).toBe(404)
    await remove()
    expect((await erase('anna@corp.test')).body.error.fields).toHaveProperty('itcode')
    expect((await erase('ann@corp.test', await app.signIn('audrey', 'auditor'))).status).toBe(403)
    app.clock.advance(11 * 60_000)
    expect((await erase('ann@corp.test')).body.error.code).toBe('sign_in_again')
    boss = await app.signIn('boss', 'admin')
    const erased = { user: { id: ann.id, itcode: `#${ann.id}` } }
    expect((await erase('ann@corp.test')).body).toEqual(erased)
    expect(JSON.stringify(await app.audit())).not.toContain('ann@corp')
    expect((await app.audit()).find(({ action }) => action === 'user.erase')).toMatchObject({
      actorId: boss.id,
      target: `user:${ann.id}`,
    })
  })

  test('can be erased: no table tells name, address or IP address, and the calls stay', async () => {
    await boss.put(`/admin/api/users/${ann.id}`, { name: 'Ann Lee' })
    await ann.put(`/api/keys/${keyId}`, { name: 'of Ann Lee' })
    expect(await statusOf()).toBe(200)
    await app.rows()
    await app.browser().post('/api/auth/login', { itcode: 'ann@corp.test', code: 'WRONG' })
    await app.browser().post('/api/auth/send-code', { itcode: 'ann@corp.test' })
    await expect(eraseUser(parts(), ann.id)).rejects.toMatchObject({ code: 'not_found' })
    await app.db.insert(scimUsers).values({
      userId: ann.id,
      userName: 'ann@corp.test',
      userNameKey: 'ann@corp.test',
      active: true,
      attributes: '{"displayName":"Ann Lee"}',
      createdAt: 1,
      updatedAt: 1,
    })
    await remove()
    expect(await eraseUser(parts(), ann.id)).toEqual({ pseudonym: `#${ann.id}` })
    const rows = [
      await app.db.select().from(users),
      await app.db.select().from(sessions).where(eq(sessions.userId, ann.id)),
      await app.db.select().from(loginCodes).where(eq(loginCodes.itcode, 'ann@corp.test')),
      await app.db.select().from(scimUsers),
      await app.db.select().from(auditEvents),
      await app.db.query.apiKeys.findMany(),
    ]
    expect(JSON.stringify(rows)).not.toMatch(/ann@corp|Ann Lee/)
    const byThem = await app.db.select().from(auditEvents).where(eq(auditEvents.actorId, ann.id))
    expect(byThem.map(({ ip }) => ip)).toEqual(byThem.map(() => null))
    expect(byThem.length).toBeGreaterThan(0)
    expect(await app.db.select().from(usageLogs)).toMatchObject([{ userId: ann.id }])
    expect((await act('revive')).status).toBe(409)
    expect((await app.signIn('ann@corp.test')).id).not.toBe(ann.id)
  })
})
