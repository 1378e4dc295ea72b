/** People with identities at several providers: what each of these says of them, and what it does not. */
import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { handOverCode } from '../../core/auth/codes.ts'
import { groupMembers, groups, users } from '../../core/db/schema.ts'
import { askProviders } from '../../core/identity/refresh.ts'
import { type App, ORIGIN, startApp } from '../support/app.ts'
import { CLIENT, type OidcServer, signInAt, startOidc } from '../support/oidc.ts'

const HOUR = 3_600_000
const SECRET = '9f1c07be52d84a63b1e7c05d4f8a92e6d3b7'
let okta: OidcServer
let entra: OidcServer
let app: App

beforeAll(async () => {
  okta = await startOidc({ redirectUris: [`${ORIGIN}/api/auth/oidc/okta/callback`] })
  entra = await startOidc({ redirectUris: [`${ORIGIN}/api/auth/oidc/entra/callback`] })
})
afterAll(async () => {
  await okta.stop()
  await entra.stop()
})
beforeEach(async () => {
  const provider = (name: string, { issuer }: OidcServer) => ({
    name,
    label: name,
    issuer,
    ...CLIENT,
    groups_claim: 'groups',
    admin_groups: ['admins'],
    department_claim: 'department',
    groups_prefix: name === 'entra' ? 'entra:' : '',
  })
  app = await startApp({
    server: { public_url: ORIGIN },
    secrets: { key: SECRET },
    auth: { session_secret: SECRET, session_max_age: 31_536_000, session_idle: '300d' },
    oidc: { providers: [provider('okta', okta), provider('entra', entra)] },
  })
  const base = { source: 'oidc', bills: true, createdAt: 1, updatedAt: 1 } as const
  await app.db.insert(groups).values([
    { ...base, id: 7, name: 'Old', externalId: 'old' },
    { ...base, id: 8, name: 'New', externalId: 'entra:new' },
    { ...base, id: 11, name: 'Old of the other', externalId: 'entra:old' },
    { ...base, id: 9, name: 'old department', source: 'direct' },
    { ...base, id: 10, name: 'new department', source: 'direct' },
  ])
  there(okta, ['old', 'admins'])
  there(entra, ['new'])
})
afterEach(() => app.close())

/** Ann at a provider, in these groups. */
function there(provider: OidcServer, of: string[], gone = false) {
  provider.who = 'ann'
  provider.people.set('ann', {
    claims: {
      email: 'ann@example.com',
      email_verified: true,
      groups: of,
      department: `${provider === okta ? 'old' : 'new'} department`,
    },
    gone,
  })
}
const ann = async () => {
  const [user] = await app.db.select().from(users).where(eq(users.itcode, 'ann@example.com'))
  const rows = await app.db.select().from(groupMembers)
  return {
    id: user?.id ?? 0,
    role: user?.role,
    paused: user?.pausedAt !== null,
    in: rows.map((row) => row.groupId),
    department: user?.directoryGroupId,
  }
}
const anHour = async () => {
  app.clock.advance(HOUR + 60_000)
  await askProviders(app.deps)
}

test('the provider that somebody joined last says which groups, role and department they have, whichever is asked', async () => {
  there(okta, ['old'])
  await signInAt(okta, app.browser(), 'okta')
  expect(await ann()).toMatchObject({ in: [7], department: 9 })
  await signInAt(entra, app.browser(), 'entra')
  expect(await ann()).toMatchObject({ in: [8], role: 'user' })
  there(okta, ['old', 'admins'])
  await anHour()
  await signInAt(okta, app.browser(), 'okta')
  expect(await ann()).toMatchObject({ in: [8], department: 10, role: 'user', paused: false })
  there(entra, ['new', 'old'])
  await anHour()
  // Its `old` is not the other's.
  expect((await ann()).in.toSorted((a, b) => a - b)).toEqual([8, 11])
})

test('whom one provider knows no more comes back by the other, or by a code of an administrator, and stays', async () => {
  there(okta, ['old'])
  await signInAt(okta, app.browser(), 'okta')
  await signInAt(entra, app.browser(), 'entra')
  there(okta, [], true)
  await anHour()
  expect(await ann()).toMatchObject({ paused: true })
  await signInAt(entra, app.browser(), 'entra')
  for (let hour = 0; hour < 3; hour++) {
    await anHour()
    expect(await ann()).toMatchObject({ paused: false })
  }
  there(entra, [], true)
  await anHour()
  expect(await ann()).toMatchObject({ paused: true })
  const parts = { ...app.deps, auth: app.deps.settings.auth }
  const { code } = await handOverCode(parts, { itcode: 'ann@example.com', actor: COMMAND_LINE })
  const browser = app.browser()
  expect((await browser.post('/api/auth/login', { itcode: 'ann@example.com', code })).status).toBe(200)
  await anHour()
  expect(await ann()).toMatchObject({ paused: false })
  // Neither provider has vouched for them for long, but an administrator has.
  app.clock.advance(31 * 24 * HOUR)
  await anHour()
  expect(await ann()).toMatchObject({ paused: true })
  const again = await handOverCode(parts, { itcode: 'ann@example.com', actor: COMMAND_LINE })
  await app.browser().post('/api/auth/login', { itcode: 'ann@example.com', code: again.code })
  await anHour()
  expect(await ann()).toMatchObject({ paused: false })
})

test('whom one provider cannot be asked about comes back by the other, and stays', async () => {
  there(okta, ['old'])
  await signInAt(okta, app.browser(), 'okta')
  await signInAt(entra, app.browser(), 'entra')
  okta.fails = 503
  for (let hour = 0; hour < 14; hour++) await anHour()
  expect(await ann()).toMatchObject({ paused: true })
  await signInAt(entra, app.browser(), 'entra')
  for (let hour = 0; hour < 3; hour++) {
    await anHour()
    expect(await ann()).toMatchObject({ paused: false })
  }
  okta.fails = undefined
})
