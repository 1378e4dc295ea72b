/** Signing in at a provider of OpenID Connect. */
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { groupMembers, groups, identities, users } from '../../core/db/schema.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import type { Browser } from '../support/browser.ts'
import { CLIENT, type OidcServer, signInAt, startOidc } from '../support/oidc.ts'

let okta: OidcServer
let app: App

const SECRET = '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7'

beforeAll(async () => {
  okta = await startOidc({ redirectUris: [`${ORIGIN}/api/auth/oidc/okta/callback`] })
})
afterAll(() => okta.stop())
beforeEach(async () => {
  app = await startApp({
    server: { public_url: ORIGIN },
    secrets: { key: SECRET },
    oidc: {
      providers: [
        {
          name: 'okta',
          label: 'Okta',
          issuer: okta.issuer,
          ...CLIENT,
          groups_claim: 'groups',
          admin_groups: ['gateway-admins'],
        },
      ],
    },
  })
  okta.people.clear()
  okta.people.set('00u1', {
    claims: { name: 'Ann Lee', email: 'ann@example.com', email_verified: true, groups: ['research'] },
  })
  okta.who = '00u1'
  return () => app.close()
})

const signIn = (browser: Browser, next?: string) => signInAt(okta, browser, 'okta', next)

describe('signing in at a provider', () => {
  test('makes an account with the verified address, and leads to the page that was wanted', async () => {
    const browser = app.browser()
    const answer = await signIn(browser, '/keys?new=1')
    expect(answer.headers.get('location')).toBe('/keys?new=1')
    const { user } = (await browser.get('/api/auth/me')).body
    expect(user).toMatchObject({ itcode: 'ann@example.com', name: 'Ann Lee', role: 'user' })
    const [identity] = await app.db.select().from(identities)
    expect(identity).toMatchObject({ issuer: okta.issuer, subject: '00u1', userId: user.id })
    expect(identity?.refreshToken).toMatch(/^v1\./)
  })

  test('puts people into the groups that the provider names, and takes them out of the others', async () => {
    const base = { bills: true, createdAt: 1, updatedAt: 1 }
    await app.db.insert(groups).values([
      { ...base, id: 7, name: 'Research', source: 'oidc', externalId: 'research' },
      { ...base, id: 8, name: 'Law', source: 'oidc', externalId: 'law' },
      { ...base, id: 9, name: 'Here', source: 'direct' },
    ])
    const browser = app.browser()
    await signIn(browser)
    const { id } = (await browser.get('/api/auth/me')).body.user
    await app.db.insert(groupMembers).values({ groupId: 9, userId: id, role: 'member', createdAt: 1 })
    const mine = () =>
      app.db.select({ id: groupMembers.groupId }).from(groupMembers).where(eq(groupMembers.userId, id))
    expect((await mine()).map((one) => one.id)).toEqual([7, 9])

    okta.people.set('00u1', { claims: { groups: ['law', 'gateway-admins'] } })
    await signIn(app.browser())
    expect((await mine()).map((one) => one.id)).toEqual([8, 9])
    const [user] = await app.db.select().from(users).where(eq(users.id, id))
    expect(user?.role).toBe('admin')
  })
})
