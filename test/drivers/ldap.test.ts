/** Signing in by a directory, against a real slapd. */
import { eq } from 'drizzle-orm'
import { Attribute, Change } from 'ldapts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { groupMembers, groups, users } from '../../core/db/schema.ts'
import { askProviders } from '../../core/identity/refresh.ts'
import { type App, startApp } from '../support/app.ts'
import { HAS_SLAPD, type LdapServer, startSlapd } from '../support/slapd.ts'

const HOUR = 3_600_000
const isLeftOut = !HAS_SLAPD && !process.env.CI

describe.skipIf(isLeftOut)('a directory', () => {
  let ldap: LdapServer
  let app: App
  beforeAll(async () => {
    ldap = await startSlapd()
  })
  afterAll(() => ldap.stop())
  const open = async (given: object = {}) => {
    app = await startApp({ ldap: { ...ldap.config, trust_email_of: ['corp.test'], ...given } })
    return app
  }
  beforeEach(() => () => app.close())
  const enter = (name: string, password: string, browser = app.browser()) =>
    browser.post('/api/auth/ldap', { name, password })

  test('is offered on the sign-in page', async () => {
    await open()
    expect((await app.browser().get('/api/auth/config')).body.providers).toEqual([
      { name: 'ldap', label: 'Corp', kind: 'password' },
    ])
  })

  test.each([
    ['by what the entry says', {}],
    ['by a search', { group_filter: '(&(objectClass=groupOfNames)(member={dn}))' }],
  ])('signs people in with their password, and finds their groups %s', async (_, given) => {
    await open(given)
    const group = {
      name: 'R',
      source: 'ldap',
      externalId: 'cn=research,dc=corp,dc=test',
      bills: true,
    } as const
    await app.db.insert(groups).values({ id: 7, ...group, createdAt: 1, updatedAt: 1 })
    const browser = app.browser()
    const answer = await enter('ann', 'password of ann', browser)
    expect(answer.body.user).toMatchObject({ itcode: 'ann@corp.test', name: 'Ann Lee', role: 'user' })
    expect((await browser.get('/api/auth/me')).status).toBe(200)
    const members = await app.db.select().from(groupMembers)
    expect(members).toMatchObject([{ groupId: 7, userId: answer.body.user.id }])
  })

  test('takes names as they are, whatever signs are in them', async () => {
    await open()
    expect((await enter('bob(1)*', 'password of bob(1)*')).body.user.name).toBe('Bob Ray')
    for (const name of ['*', 'a*', 'ann)(uid=*', 'ann)(|(uid=*)', '\\61nn']) {
      const answer = await enter(name, 'password of ann')
      expect([name, answer.status, answer.body.error.code]).toEqual([name, 401, 'wrong_password'])
    }
  })

  test('refuses wrong passwords, unknown people, and an empty password', async () => {
    await open()
    for (const [name, password] of [
      ['ann', 'password of bob'],
      ['eve', 'x'],
    ] as const) {
      expect((await enter(name, password)).body.error.code).toBe('wrong_password')
    }
    expect((await enter('ann', '')).status).toBe(400)
    const [provider] = app.deps.logins
    await expect(provider?.password?.('ann', '')).rejects.toThrow('a name and a password are expected')
    expect((await app.audit()).map(({ action }) => action)).toEqual(['login.failed'])
  })

  test('is asked thirty times for one person, then no more for a while', async () => {
    await open()
    const tries = await Promise.all(Array.from({ length: 31 }, (_, i) => enter('ann', `guess ${i}`)))
    expect(tries.map(({ status }) => status).filter((status) => status === 429)).toHaveLength(1)
  })

  test('that cannot be reached says so', async () => {
    await open({ url: 'ldap://127.0.0.1:9' })
    const answer = await enter('ann', 'password of ann')
    expect([answer.status, answer.body.error.code]).toEqual([503, 'provider_unavailable'])
  })

  test('that does not know the gateway says so, instead of refusing people', async () => {
    await open({ bind_password: 'not of a reader' })
    expect((await enter('ann', 'password of ann')).body.error.code).toBe('provider_unavailable')
  })

  test('no longer lets somebody go on who does not meet its filter', async () => {
    await open()
    const browser = app.browser()
    const { id } = (await enter('ann', 'password of ann', browser)).body.user
    const paused = async () => (await app.db.select().from(users).where(eq(users.id, id)))[0]?.pausedAt
    app.clock.advance(HOUR)
    await askProviders(app.deps)
    expect(await paused()).toBeNull()
    const employeeType = new Attribute({ type: 'employeeType', values: ['gone'] })
    const add = new Change({ operation: 'add', modification: employeeType })
    await ldap.change((client) => client.modify(ldap.dnOf('ann'), add))
    app.clock.advance(HOUR)
    await askProviders(app.deps)
    expect(await paused()).not.toBeNull()
    expect((await browser.get('/api/auth/me')).status).toBe(401)
    const remove = new Change({ operation: 'delete', modification: employeeType })
    await ldap.change((client) => client.modify(ldap.dnOf('ann'), remove))
  })
})
