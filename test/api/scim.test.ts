/** What a directory may change by SCIM, and what it never does. */
import { eq } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { groupMembers, groups, scimUsers, users } from '../../core/db/schema.ts'
import { createGroup, findGroup } from '../../core/organisation/groups.ts'
import { setMember } from '../../core/organisation/members.ts'
import { createUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import {
  type Directory,
  directoryOf,
  ENTERPRISE,
  entraUser,
  oktaUser,
  pushedGroup,
} from '../support/directory.ts'

describe('a directory', () => {
  let app: App
  let boss: Browser & { id: number }
  let okta: Directory
  beforeEach(async () => {
    app = await startApp()
    boss = await app.signIn('boss@corp.test', 'admin')
    okta = await directoryOf(app.db, app.open)
  })
  afterEach(() => app.close())

  const parts = () => ({ ...app.deps, actor: COMMAND_LINE })
  const person = (itcode: string, more: object = {}) =>
    createUser(parts(), { itcode, role: 'user', quotaTokens: 0, ...more })
  const userOf = async (id: number | string) =>
    (
      await app.db
        .select()
        .from(users)
        .where(eq(users.id, Number(id)))
    )[0]
  const made = async (userName: string, more: object = {}): Promise<string> => {
    const answer = await okta.post('/Users', oktaUser(userName, more))
    expect([answer.status, answer.text]).toEqual([201, expect.any(String)])
    return answer.body.id
  }
  const refused = (answer: { status: number; body: unknown }) => [answer.status, Object(answer.body).scimType]

  test('sees and changes nobody whom it does not keep, and no group of others', async () => {
    const ann = await person('ann@corp.test')
    const team = await createGroup(parts(), { name: 'team' })
    expect((await okta.get('/Users')).body).toMatchObject({ totalResults: 0, Resources: [] })
    expect((await okta.get('/Groups')).body).toMatchObject({ totalResults: 0, Resources: [] })
    for (const path of [`/Users/${ann.id}`, `/Groups/${team.id}`, '/Groups/0']) {
      expect((await okta.get(path)).status).toBe(404)
      expect((await okta.delete(path)).status).toBe(404)
      expect(
        (await okta.patch(path, { op: 'replace', value: { active: false, displayName: 'x' } })).status,
      ).toBe(404)
      expect((await okta.put(path, { ...oktaUser('x@corp.test'), members: [] })).status).toBe(404)
    }
    const id = await made('carl@corp.test')
    const group = (await okta.post('/Groups', pushedGroup('pushed', [id]))).body.id
    expect(refused(await okta.put(`/Groups/${group}`, pushedGroup('pushed', [String(ann.id)])))).toEqual([
      400,
      'invalidValue',
    ])
    expect((await userOf(ann.id))?.status).toBe('active')
  })

  test('joins an ordinary account of this name or address, and makes no second one', async () => {
    const ann = await person('ann@corp.test')
    const ben = await person('ben', { address: { email: 'ben@corp.test', confirmed: true } })
    expect(await made('Ann@Corp.Test')).toBe(String(ann.id))
    expect(await made('x-ben', { emails: [{ value: 'Ben@corp.test' }] })).toBe(String(ben.id))
    expect(await userOf(ann.id)).toMatchObject({ name: 'Ann Lee', role: 'user' })
    const told = (await app.audit()).filter(({ action }) => action === 'user.scim')
    expect(told).toMatchObject([{ target: `user:${ann.id}`, adminKeyId: 1 }, { target: `user:${ben.id}` }])
  })

  test('joins nobody who has rights over others; an administrator hands them over', async () => {
    const lead = await person('lead@corp.test')
    const team = await createGroup(parts(), { name: 'team' })
    await setMember(parts(), team.id, lead.id, 'lead')
    const robot = await person('robot@corp.test', { kind: 'service' })
    const auditor = await person('auditor@corp.test', { role: 'auditor' })
    for (const { id, itcode } of [lead, robot, auditor, { id: boss.id, itcode: 'boss@corp.test' }]) {
      const answer = await okta.post('/Users', oktaUser(itcode))
      expect(refused(answer)).toEqual([409, 'uniqueness'])
      expect(answer.body.detail).toContain(`POST /admin/api/users/${id}/scim`)
      expect(await okta.find('Users', `userName eq "${itcode}"`)).toEqual({ total: 0, ids: [] })
    }
    const join = (id: number, body: object = {}) => boss.post(`/admin/api/users/${id}/scim`, body)
    expect((await join(robot.id)).status).toBe(409)
    expect((await join(999)).status).toBe(404)
    expect((await join(auditor.id, { external_id: 'o-1' })).status).toBe(200)
    expect((await join(auditor.id)).status).toBe(409)
    expect(await okta.find('Users', 'userName eq "auditor@corp.test"')).toEqual({
      total: 1,
      ids: [String(auditor.id)],
    })
    expect((await okta.find('Users', 'externalId eq "o-1"')).total).toBe(1)
    expect((await okta.find('Users', 'externalId eq "O-1"')).total).toBe(0)
    await okta.put(`/Users/${auditor.id}`, oktaUser('auditor@corp.test', { roles: [{ value: 'admin' }] }))
    expect((await userOf(auditor.id))?.role).toBe('auditor')
  })

  test('Z08: does not lock everybody out, neither by deactivating nor by deleting', async () => {
    await boss.post(`/admin/api/users/${boss.id}/scim`, {})
    const off = { op: 'replace', path: 'active', value: false }
    const answers = [
      await okta.patch(`/Users/${boss.id}`, off),
      await okta.put(`/Users/${boss.id}`, oktaUser('boss@corp.test', { active: false })),
      await okta.delete(`/Users/${boss.id}`),
    ]
    for (const answer of answers) {
      expect([answer.status, answer.body.detail]).toEqual([
        409,
        'There must be another active administrator first.',
      ])
    }
    expect((await boss.get('/api/auth/me')).status).toBe(200)
    const other = await app.signIn('other@corp.test', 'admin')
    await other.post(`/admin/api/users/${other.id}/scim`, {})
    const both = await Promise.all([
      okta.patch(`/Users/${boss.id}`, off),
      okta.patch(`/Users/${other.id}`, off),
    ])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409])
    expect(await app.db.$count(users, eq(users.status, 'active'))).toBe(1)
  })

  test('sets addresses, which get no codes of an account with rights before an administrator confirms them', async () => {
    await boss.post(`/admin/api/users/${boss.id}/scim`, {})
    await okta.put(`/Users/${boss.id}`, oktaUser('boss@corp.test', { emails: [{ value: 'evil@corp.test' }] }))
    expect(await userOf(boss.id)).toMatchObject({ email: 'evil@corp.test', emailUnconfirmed: true })
    const sent = app.mails.length
    await app.browser().post('/api/auth/send-code', { itcode: 'boss@corp.test' })
    await app.settled()
    expect(app.mails).toHaveLength(sent)
    const id = await made('ann@corp.test', {
      emails: [{ value: 'boss@corp.test' }, { value: 'ann@else.test', primary: true }],
    })
    expect((await userOf(id))?.email).toBe('ann@else.test')
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'emails', value: [{ value: 'evil@corp.test' }] })
    expect((await userOf(id))?.email).toBe('ann@else.test')
  })

  test('names the group that pays by the department, else by the cost centre', async () => {
    const sales = await createGroup(parts(), { name: 'Sales' })
    await createGroup(parts(), { name: 'Free', bills: false })
    const id = await made('ann@corp.test', { [ENTERPRISE]: { department: 'Nowhere', costCenter: 'Sales' } })
    expect((await userOf(id))?.directoryGroupId).toBe(sales.id)
    await okta.patch(`/Users/${id}`, { op: 'replace', path: `${ENTERPRISE}:costCenter`, value: 'Free' })
    expect((await userOf(id))?.directoryGroupId).toBe(null)
    const told = (await app.audit()).filter(({ action }) => action === 'user.directory')
    expect(told.at(-1)?.after).toBe('{"directory_group_id":null}')
    // Groups may come after people.
    await boss.put(`/admin/api/groups/${(await findGroup(app.db, 'Free'))?.id}`, { bills: true })
    expect((await userOf(id))?.directoryGroupId).not.toBe(null)
    const nowhere = (await boss.post('/admin/api/groups', { name: 'Nowhere' })).body.group.id
    expect((await userOf(id))?.directoryGroupId).toBe(nowhere)
  })

  test('Q08: makes one account of twenty requests at once, and of two names that differ by case', async () => {
    const wanted = Array.from({ length: 20 }, (_, i) => (i % 2 ? 'Carl@corp.test' : 'carl@corp.test'))
    const answers = await Promise.all(wanted.map((userName) => okta.post('/Users', oktaUser(userName))))
    expect(answers.map(({ status }) => status).sort()).toEqual([
      201,
      ...Array.from({ length: 19 }, () => 409),
    ])
    expect(await app.db.$count(scimUsers)).toBe(1)
    expect(await app.db.$count(users)).toBe(2)
    const other = await made('other@corp.test')
    const rename = { op: 'replace', path: 'userName', value: 'CARL@corp.test' }
    expect(refused(await okta.patch(`/Users/${other}`, rename))).toEqual([409, 'uniqueness'])
  })

  test('reads everybody once over pages, whatever their size, also through a filter', async () => {
    for (let i = 0; i < 11; i++) await made(`p${i}@corp.test`)
    for (const [count, filter] of [
      [5, ''],
      [
        4,
        `&filter=${encodeURIComponent('userName sw "P" and not (userName eq "p3@corp.test") and active eq true')}`,
      ],
    ] as const) {
      const seen: string[] = []
      let total = Number.POSITIVE_INFINITY
      for (let startIndex = 1; startIndex <= total; startIndex += count) {
        const { body } = await okta.get(`/Users?startIndex=${startIndex}&count=${count}${filter}`)
        expect(body).toMatchObject({ startIndex, itemsPerPage: body.Resources.length })
        total = body.totalResults
        seen.push(...body.Resources.map(({ userName }: { userName: string }) => userName))
      }
      expect(total).toBe(filter ? 10 : 11)
      expect(new Set(seen).size).toBe(total)
      expect(seen).toHaveLength(total)
    }
    expect((await okta.get('/Users?count=0')).body).toMatchObject({ totalResults: 11, Resources: [] })
    expect((await okta.get('/Users?startIndex=-3&count=2')).body).toMatchObject({
      startIndex: 1,
      itemsPerPage: 2,
    })
    expect((await okta.get('/Users?startIndex=99')).body).toMatchObject({ totalResults: 11, Resources: [] })
  })

  test('chooses what it reads', async () => {
    const id = await made('ann@corp.test')
    const path = `/Users/${id}`
    expect((await okta.get(`${path}?attributes=USERNAME,name.familyName`)).body).toEqual({
      schemas: expect.any(Array),
      id,
      userName: 'ann@corp.test',
      name: { familyName: 'Lee' },
    })
    const { body } = await okta.get(`${path}?excludedAttributes=emails,name.givenName,id`)
    expect([body.id, body.emails, body.name]).toEqual([id, undefined, { familyName: 'Lee' }])
  })

  test('brings back only whom it had deactivated, and deletes for good', async () => {
    const id = await made('ann@corp.test')
    const group = (await okta.post('/Groups', pushedGroup('g', [id]))).body.id
    await okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: 'False' })
    expect(await userOf(id)).toMatchObject({ status: 'disabled', deletedAt: null })
    // An administrator's word stands.
    await boss.put(`/admin/api/users/${id}`, { status: 'disabled' })
    expect(
      (await okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: true })).body.active,
    ).toBe(false)
    expect((await okta.delete(`/Users/${id}`)).status).toBe(204)
    expect((await okta.get(`/Groups/${group}`)).body.members).toEqual([])
    // The same person comes back without keys, unless an administrator deleted them.
    expect(await made('ann@corp.test')).toBe(id)
    expect(await userOf(id)).toMatchObject({ status: 'active', role: 'user' })
    await boss.delete(`/admin/api/users/${id}`)
    expect(refused(await okta.post('/Users', oktaUser('ann@corp.test')))).toEqual([409, 'uniqueness'])
    await boss.post(`/admin/api/users/${id}/revive`)
    expect((await okta.get(`/Users/${id}`)).body.active).toBe(true)
    await okta.delete(`/Users/${id}`)
    const stranger = await okta.post('/Users', oktaUser('ann@corp.test', { externalId: 'somebody-else' }))
    expect([...refused(stranger), stranger.body.detail]).toEqual([
      409,
      'uniqueness',
      expect.stringContaining('release'),
    ])
    await boss.post(`/admin/api/users/${id}/release`)
    expect(await made('ann@corp.test', { externalId: 'somebody-else' })).not.toBe(id)
  })

  test('does not take over a group that is kept here; an administrator hands it over, with leads as they are', async () => {
    const team = await createGroup(parts(), { name: 'Team' })
    const [ann, ben] = [await made('ann@corp.test'), await made('ben@corp.test')]
    await setMember(parts(), team.id, Number(ann), 'lead')
    const answer = await okta.post('/Groups', pushedGroup('Team', [ann]))
    expect([...refused(answer), answer.body.detail]).toEqual([
      409,
      'uniqueness',
      expect.stringContaining(`/admin/api/groups/${team.id}/scim`),
    ])
    expect((await boss.post(`/admin/api/groups/${team.id}/scim`, { external_id: 'g-1' })).status).toBe(200)
    expect((await boss.post(`/admin/api/groups/${team.id}/scim`, {})).status).toBe(409)
    expect((await boss.post('/admin/api/groups/0/scim', {})).status).toBe(404)
    expect(await okta.find('Groups', 'displayName eq "team"')).toEqual({ total: 1, ids: [String(team.id)] })
    await okta.put(`/Groups/${team.id}`, pushedGroup('Team', [ann, ben], { externalId: 'g-1' }))
    const roles = await app.db.select().from(groupMembers).where(eq(groupMembers.groupId, team.id))
    expect(roles.map(({ userId, role }) => [String(userId), role])).toEqual([
      [ann, 'lead'],
      [ben, 'member'],
    ])
    expect((await boss.put(`/admin/api/groups/${team.id}/members/${boss.id}`, {})).status).toBe(409)
    // Who leads is decided here.
    expect((await boss.put(`/admin/api/groups/${team.id}/members/${ben}`, { role: 'lead' })).status).toBe(200)
    const told = (await app.audit()).findLast(({ action }) => action === 'group.members')
    expect(JSON.parse(told?.after ?? '')).toEqual({ added: [Number(ben)], removed: [] })
    // Who pays is an administrator's choice.
    const other = (await okta.post('/Groups', pushedGroup('Other'))).body.id
    const [pushed] = await app.db
      .select()
      .from(groups)
      .where(eq(groups.id, Number(other)))
    expect(pushed).toMatchObject({ source: 'scim', bills: false })
  })

  test('that names a group as another one changes nobody in it, and a change of an id is audited', async () => {
    const [ann, ben] = [await made('ann@corp.test'), await made('ben@corp.test')]
    await okta.post('/Groups', pushedGroup('taken'))
    const { id } = (await okta.post('/Groups', pushedGroup('team', [ann]))).body
    expect((await app.audit()).at(-1)).toMatchObject({
      action: 'group.members',
      target: `group:${id}`,
      after: `{"added":[${ann}],"removed":[]}`,
    })
    const before = (await app.audit()).length
    const rename = { op: 'replace', value: { displayName: 'taken' } }
    const join = { op: 'add', path: 'members', value: [{ value: ben }] }
    for (const answer of [
      await okta.put(`/Groups/${id}`, pushedGroup('taken', [ben])),
      await okta.patch(`/Groups/${id}`, rename, join),
    ]) {
      expect(refused(answer)).toEqual([409, 'uniqueness'])
    }
    expect((await okta.get(`/Groups/${id}`)).body.members).toMatchObject([{ value: ann }])
    expect(await app.audit()).toHaveLength(before)
    await okta.patch(`/Groups/${id}`, { op: 'replace', path: 'externalId', value: 'g-2' })
    await okta.patch(`/Users/${ann}`, { op: 'replace', path: 'externalId', value: 'o-2' })
    expect((await app.audit()).slice(before)).toMatchObject([
      { action: 'group.update', before: '{"external_id":null}', after: '{"external_id":"g-2"}' },
      {
        action: 'user.update',
        before: '{"external_id":"00u-ann@corp.test"}',
        after: '{"external_id":"o-2"}',
      },
    ])
  })

  test('Q09: loses nothing of changes of one person that come at once, by it and by an administrator', async () => {
    const id = await made('ann@corp.test')
    const names = ['title', 'nickName', 'locale', 'timezone', 'userType', 'profileUrl']
    const answers = await Promise.all([
      ...names.map((path) => okta.patch(`/Users/${id}`, { op: 'replace', path, value: path })),
      okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: false }),
      boss.put(`/admin/api/users/${id}`, { quota_tokens: 5 }),
    ])
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    const { body } = await okta.get(`/Users/${id}`)
    expect(body).toMatchObject({ active: false, ...Object.fromEntries(names.map((name) => [name, name])) })
    expect((await userOf(id))?.quotaTokens).toBe(5)
    expect(
      (await okta.patch(`/Users/${id}`, { op: 'replace', path: 'active', value: true })).body.active,
    ).toBe(true)
  })

  test('Q09: pushes one group of ten requests at once, and members at once all arrive', async () => {
    const ids = await Promise.all(Array.from({ length: 10 }, (_, i) => made(`p${i}@corp.test`)))
    const pushed = await Promise.all(ids.map((id) => okta.post('/Groups', pushedGroup('G', [id]))))
    expect(pushed.filter(({ status }) => status === 201)).toHaveLength(1)
    const path = `/Groups/${pushed.find(({ status }) => status === 201)?.body.id}`
    await Promise.all(
      ids.map((value) => okta.patch(path, { op: 'add', path: 'members', value: [{ value }] })),
    )
    expect((await okta.get(path)).body.members).toHaveLength(10)
  })

  test('writes nothing where nothing changes', async () => {
    const id = await made('ann@corp.test')
    const group = (await okta.post('/Groups', pushedGroup('G', [id]))).body
    const before = [await userOf(id), await app.audit()]
    app.clock.advance(60_000)
    await okta.put(`/Users/${id}`, oktaUser('ann@corp.test'))
    await okta.patch(`/Users/${id}`, { op: 'replace', value: { active: true, displayName: 'ann Lee' } })
    await okta.put(`/Groups/${group.id}`, pushedGroup('G', [id]))
    await okta.patch(`/Groups/${group.id}`, { op: 'add', path: 'members', value: [{ value: id }] })
    expect([await userOf(id), await app.audit()]).toEqual(before)
    expect((await okta.get(`/Groups/${group.id}`)).body.meta).toEqual(group.meta)
  })

  test('learns what there is from the service itself', async () => {
    const config = (await okta.get('/ServiceProviderConfig')).body
    expect(config).toMatchObject({
      patch: { supported: true },
      bulk: { supported: false },
      filter: { maxResults: 200 },
    })
    const schemas = (await okta.get('/Schemas')).body.Resources
    expect(schemas.map(({ id }: { id: string }) => id.split(':').at(-1))).toEqual(['User', 'User', 'Group'])
    for (const { meta } of schemas) {
      expect((await okta.get(meta.location.replace('/scim/v2', ''))).status).toBe(200)
    }
    expect((await okta.get('/ResourceTypes/Group')).body.endpoint).toBe('/Groups')
    expect((await okta.get('/ResourceTypes/Robot')).status).toBe(404)
    const nothing = await okta.get('/Bulk')
    expect([nothing.status, nothing.body.schemas]).toEqual([
      404,
      ['urn:ietf:params:scim:api:messages:2.0:Error'],
    ])
    expect((await okta.get('/Users/1/groups')).status).toBe(404)
  })

  test('whose key may only read is refused, as is an API key', async () => {
    const { secret } = (await boss.post('/admin/api/admin-keys', { name: 'r', scopes: ['read', 'write'] }))
      .body
    const { key } = (await boss.post('/api/keys', { name: 'x' })).body.key
    for (const [token, status] of [
      [secret, 403],
      [key, 401],
    ]) {
      const answer = await app.open('/scim/v2/Users', { headers: { authorization: `Bearer ${token}` } })
      expect([answer.status, Object(await answer.json()).status]).toEqual([status, String(status)])
    }
  })

  test('keeps a person whose userName is no account name by their address', async () => {
    const id = await made('CORP\\ann (temp)', { emails: [{ value: 'ann@corp.test' }] })
    expect(await userOf(id)).toMatchObject({ itcode: 'ann@corp.test' })
    expect((await okta.find('Users', 'userName eq "corp\\\\ann (temp)"')).ids).toEqual([id])
    const none = await okta.post('/Users', { ...entraUser('CORP\\ben'), emails: [] })
    expect(refused(none)).toEqual([400, 'invalidValue'])
  })
})
