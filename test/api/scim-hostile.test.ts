/** Bodies, filters and paths that no directory sends: each is refused in SCIM's form, and changes nothing. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { auditEvents, users } from '../../core/db/schema.ts'
import { createUser } from '../../core/users/manage.ts'
import { type App, startApp } from '../support/app.ts'
import { type Directory, directoryOf, oktaUser, pushedGroup } from '../support/directory.ts'

const ERROR = 'urn:ietf:params:scim:api:messages:2.0:Error'

describe('SCIM that is wrong', () => {
  let app: App
  let okta: Directory
  let id: string
  let group: string
  beforeAll(async () => {
    app = await startApp()
    okta = await directoryOf(app.db, app.open)
    id = (await okta.post('/Users', oktaUser('ann@corp.test'))).body.id
    group = (await okta.post('/Groups', pushedGroup('G', [id]))).body.id
  })
  afterAll(() => app.close())

  const unchanged = async (ask: () => Promise<{ status: number; body: unknown }>) => {
    const state = async () => [
      (await okta.get(`/Users/${id}`)).body,
      (await okta.get(`/Groups/${group}`)).body,
      (await okta.get('/Users')).body.totalResults,
      await app.db.$count(auditEvents),
    ]
    const before = await state()
    const answer = await ask()
    expect(await state()).toEqual(before)
    expect(answer.body).toMatchObject({
      schemas: [ERROR],
      status: String(answer.status),
      detail: expect.any(String),
    })
    return [answer.status, Object(answer.body).scimType]
  }
  const deep = (levels: number): unknown => (levels === 0 ? 1 : { a: deep(levels - 1) })

  test.each([
    ['no JSON', '{'],
    ['a list', '[]'],
    ['text', '"x"'],
    ['nothing', {}],
    ['no userName', { ...oktaUser('x@corp.test'), userName: undefined }],
    ['an empty userName', oktaUser(' ')],
    ['a number for a userName', { ...oktaUser('x@corp.test'), userName: 7 }],
    ['a long userName', oktaUser(`${'x'.repeat(255)}@corp.test`)],
    ['a name of two scripts', oktaUser('аnn@corp.test', { emails: [] })],
    ['active that is neither', oktaUser('x@corp.test', { active: 'perhaps' })],
    ['active that is a list', oktaUser('x@corp.test', { active: [true] })],
    ['a prototype', '{"userName":"x@corp.test","name":{"__proto__":{"active":false}}}'],
    ['a name with a space', oktaUser('x@corp.test', { 'a b': 1 })],
    ['too many levels', oktaUser('x@corp.test', { name: deep(10) })],
    ['levels without end', `{"userName":"x@corp.test","name":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
    ['much text', oktaUser('x@corp.test', { title: 'x'.repeat(40_000) })],
    ['an externalId that is no text', oktaUser('x@corp.test', { externalId: { a: 1 } })],
  ])('I03: a person with %s', async (_what, body) => {
    expect(await unchanged(() => okta.post('/Users', body))).toEqual([400, 'invalidValue'])
  })

  test.each([
    [{ op: 'explode', path: 'title' }, 'invalidValue'],
    [{ op: 'replace' }, 'invalidValue'],
    [{ op: 'replace', value: 'x' }, 'invalidValue'],
    [{ op: 'remove' }, 'noTarget'],
    [{ op: 'replace', path: 'id', value: '7' }, 'invalidPath'],
    [{ op: 'replace', path: 'meta.created', value: '7' }, 'invalidPath'],
    [{ op: 'replace', path: 'a b', value: '7' }, 'invalidPath'],
    [{ op: 'replace', path: '__proto__.x', value: '7' }, 'invalidPath'],
    [{ op: 'replace', path: 'a.b.c.d.e', value: '7' }, 'invalidPath'],
    [{ op: 'replace', path: 'emails[type eq]', value: '7' }, 'invalidFilter'],
    [{ op: 'replace', path: 'emails[type eq "work"', value: '7' }, 'invalidPath'],
    [{ op: 'replace', path: 'emails[type ne "work" and type pr].value', value: '7' }, 'noTarget'],
    [{ op: 'replace', path: 'emails[type eq "work"]', value: '7' }, 'invalidValue'],
    [{ op: 'remove', path: 'userName' }, 'invalidValue'],
    [{ op: 'replace', path: 'userName', value: null }, 'invalidValue'],
    [{ op: 'replace', path: 'active', value: 'no' }, 'invalidValue'],
  ])('I03: the change %j of a person', async (operation, scimType) => {
    expect(await unchanged(() => okta.patch(`/Users/${id}`, operation))).toEqual([400, scimType])
  })

  test.each([
    [{ op: 'add', path: 'members', value: 'x' }, 'invalidValue'],
    [{ op: 'add', path: 'members', value: [{ value: 7 }] }, 'invalidValue'],
    [{ op: 'add', path: 'members', value: [{ value: '999999' }] }, 'invalidValue'],
    [{ op: 'add', path: 'members', value: [{ value: '1 or 1=1' }] }, 'invalidValue'],
    [{ op: 'replace', path: 'members', value: [{ value: '1e3' }] }, 'invalidValue'],
    [{ op: 'remove', path: 'members[display co "a"]' }, 'invalidFilter'],
    [{ op: 'replace', path: 'displayName', value: '' }, 'invalidValue'],
    [{ op: 'replace', path: 'displayName', value: 'a\nb' }, 'invalidValue'],
    [{ op: 'remove', path: 'displayName' }, 'invalidValue'],
  ])('I03: the change %j of a group', async (operation, scimType) => {
    expect(await unchanged(() => okta.patch(`/Groups/${group}`, operation))).toEqual([400, scimType])
  })

  test.each([
    'userName',
    'userName eq',
    'userName eq ann',
    'userName is "ann"',
    'eq "ann"',
    '(userName eq "a"',
    'userName eq "a" and',
    'userName eq "a" userName eq "b"',
    'not userName eq "a"',
    'emails[type eq "work"',
    'userName eq "a',
    '"',
    `${'('.repeat(30)}userName pr${')'.repeat(30)}`,
    `userName eq "${'x'.repeat(1_990)}`,
  ])('I03: the filter %s', async (filter) => {
    const path = `/Users?filter=${encodeURIComponent(filter)}`
    expect(await unchanged(() => okta.get(path))).toEqual([400, 'invalidFilter'])
  })

  test('pages that are no numbers, and bodies that are too large or no JSON', async () => {
    expect(await unchanged(() => okta.get('/Users?count=many'))).toEqual([400, 'invalidValue'])
    expect(
      (await unchanged(() => okta.post('/Users', oktaUser('x@corp.test', { title: 'x'.repeat(70_000) }))))[0],
    ).toBe(413)
    const xml = await directoryOf(app.db, app.open, 'application/xml')
    expect((await unchanged(() => xml.post('/Users', '<x/>')))[0]).toBe(415)
    const many = Array.from({ length: 1_001 }, () => ({ op: 'add', path: 'title', value: 'x' }))
    expect(await unchanged(() => okta.patch(`/Users/${id}`, ...many))).toEqual([400, 'invalidValue'])
  })

  test('a group of ten thousand members is read as a body', async () => {
    const members = Array.from({ length: 10_000 }, () => ({
      value: id,
      display: 'somebody with a long name here',
    }))
    const answer = await okta.put(`/Groups/${group}`, { ...pushedGroup('G'), members })
    expect([answer.status, answer.body.members]).toMatchObject([200, [{ value: id }]])
  })

  test('I04: what changed since a time is found by it, however that is written, and nothing by one to come', async () => {
    const { meta } = (await okta.get(`/Users/${id}`)).body
    const found = async (kind: 'Users' | 'Groups', filter: string) => (await okta.find(kind, filter)).ids
    const second = meta.created.replace(/\.\d+Z$/, 'Z')
    const offset = second.replace('Z', '+00:00')
    for (const time of [meta.created, second, offset, '2020-01-01T00:00:00Z']) {
      expect(await found('Users', `meta.lastModified ge "${time}"`)).toContain(id)
      expect(await found('Groups', `meta.created ge "${time}"`)).toContain(group)
    }
    expect(await found('Users', 'meta.lastModified gt "2099-01-01T00:00:00Z"')).toEqual([])
    expect(await found('Users', `meta.resourceType eq "Group" and id eq "${id}"`)).toEqual([])
  })

  test('Q07: of people who get one address at once, one has it, and all are kept', async () => {
    const made = await Promise.all(
      ['p1', 'p2', 'p3', 'p4'].map((name) => okta.post('/Users', oktaUser(`${name}@corp.test`))),
    )
    for (let i = 0; i < 5; i++) {
      const email = `shared${i}@corp.test`
      const answers = await Promise.all(
        made.map(({ body }) =>
          okta.patch(`/Users/${body.id}`, { op: 'replace', path: 'emails', value: [{ value: email }] }),
        ),
      )
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      expect(await app.db.$count(users, eq(users.email, email))).toBe(1)
    }
  })

  test('A07: who is new at an address gets nobody’s account who had it before and is called like it', async () => {
    const address = { email: 'eve.lee@corp.test', confirmed: true }
    const eve = await createUser(
      { ...app.deps, actor: COMMAND_LINE },
      { itcode: 'eve@corp.test', role: 'user', quotaTokens: 0, address },
    )
    const hired = oktaUser('eve@corp.test')
    expect(await unchanged(() => okta.post('/Users', hired))).toEqual([409, 'uniqueness'])
    expect((await okta.post('/Users', hired)).body.detail).toContain(`POST /admin/api/users/${eve.id}/scim`)
    const herself = await okta.post('/Users', { ...hired, emails: [{ value: address.email }] })
    expect([herself.status, herself.body.id]).toEqual([201, String(eve.id)])
  })
})
