/** Routes for signing in and out. Their answers do not reveal whether an account exists. */
import * as z from 'zod'
import { login, sendCode } from '../core/auth/login.ts'
import { closeSession, logOutEverywhere } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import { headerOf } from '../core/http/headers.ts'
import type { LoginProvider } from '../core/identity/provider.ts'
import { randomText } from '../core/ids.ts'
import { ownAmount } from '../core/limits/spend-limit.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { addressGroup } from './client-address.ts'
import { browserCookie, readCookie, sessionCookie } from './cookies.ts'
import { line, optionalLine } from './fields.ts'
import { sessionOf } from './identify.ts'
import { route } from './route.ts'
import { UserView, userView } from './views.ts'

const BROWSER_ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'
const BROWSER = /^[a-z0-9]{32}$/

const itcode = line(254)
const inviteCode = optionalLine(256).nullish()
const invitation = optionalLine(64).nullish()
const Message = z.strictObject({ message: z.string() })

export const LoginProviderView = z
  .strictObject({
    name: z.string(),
    label: z.string(),
    kind: z.enum(['page', 'password']).meta({
      description: 'page: at /api/auth/oidc/{name}/start. password: name and password are entered here.',
    }),
  })
  .meta({ id: 'LoginProvider' })

export const auth = [
  route({
    method: 'GET',
    path: '/api/auth/config',
    tier: 'public',
    summary: 'What the sign-in page has to ask for. The invite code is for newcomers only.',
    reply: z.strictObject({
      invite_required: z.boolean(),
      code_length: z.int(),
      languages: z.array(z.enum(['zh-CN', 'en'])),
      providers: z.array(LoginProviderView).meta({ description: "The company's own sign-in." }),
    }),
    handle: ({ deps: { settings, logins } }) => ({
      invite_required: settings.auth.inviteCode !== '',
      code_length: settings.auth.codeStyle === 'digits' ? 6 : 8,
      languages: ['zh-CN', 'en'] as ('zh-CN' | 'en')[],
      providers: logins.flatMap((provider) => providerView(provider, settings.publicUrl)),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/auth/send-code',
    tier: 'public',
    summary:
      'Mails a code that signs this browser in. The answer is the same whether the account exists or not.',
    body: z.strictObject({ itcode, invite_code: inviteCode, invitation }),
    reply: Message.extend({ expires_in: z.int() }),
    async handle({ deps, headers, body, actor, setCookie }) {
      const browser = browserOf(deps, headers) ?? randomText(32, BROWSER_ALPHABET)
      setCookie(browserCookie(deps.settings, headers, browser))
      await sendCode(deps, { ...asker(deps, body, browser, actor.ip), actor })
      return { message: 'code sent', expires_in: Math.round(deps.settings.auth.codeExpiryMs / 1000) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/auth/login',
    tier: 'public',
    summary: 'Signs in with the mailed code, in the browser that asked for it.',
    errors: [401],
    body: z.strictObject({ itcode, code: line(64), invite_code: inviteCode }),
    reply: z.strictObject({ user: UserView }),
    async handle({ deps, headers, body, actor, setCookie }) {
      const browser = browserOf(deps, headers) ?? randomText(32, BROWSER_ALPHABET)
      const { user, ownMicros, token } = await login(deps, {
        ...asker(deps, body, browser, actor.ip),
        actor,
        code: body.code,
        userAgent: headerOf(headers, 'user-agent') ?? '',
        previous: (await sessionOf(deps, headers))?.sessionId,
      })
      // A browser that uses a handed-over code may have no browser cookie yet.
      if (browserOf(deps, headers) !== browser) setCookie(browserCookie(deps.settings, headers, browser))
      setCookie(sessionCookie(deps.settings, headers, token))
      return { user: userView(user, ownMicros) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/auth/logout',
    tier: 'public',
    summary: 'Ends the session. Its token is worth nothing from here on.',
    reply: Message,
    async handle(call) {
      const { deps } = call
      const session = await sessionOf(deps, call.headers)
      if (session) await closeSession({ ...deps, auth: deps.settings.auth }, session.sessionId)
      return signedOut(call, 'logged out')
    },
  }),
  route({
    method: 'POST',
    path: '/api/auth/logout-everywhere',
    tier: 'session',
    summary: 'Ends all sessions of the caller, and signs their devices out.',
    reply: Message,
    async handle(call) {
      await logOutEverywhere({ ...call.deps, actor: call.actor }, call.caller.user.id)
      await call.deps.keyCache.changed()
      return signedOut(call, 'logged out everywhere')
    },
  }),
  route({
    method: 'GET',
    path: '/api/auth/me',
    tier: 'session',
    summary: 'Who is signed in.',
    reply: z.strictObject({ user: UserView }),
    async handle({ deps: { db, settings }, caller: { user } }) {
      return { user: userView(user, await ownAmount(db, user.id, settings.limits.period)) }
    },
  }),
]

/** None where people cannot be led back to the gateway. */
function providerView(
  { name, label, page, password }: LoginProvider,
  publicUrl: string,
): z.infer<typeof LoginProviderView>[] {
  if (password) return [{ name, label, kind: 'password' }]
  return page && publicUrl !== '' ? [{ name, label, kind: 'page' }] : []
}

/** Takes the session's cookie away. */
function signedOut(
  { deps, headers, setCookie }: { deps: Deps; headers: HeaderPairs; setCookie(cookie: string): void },
  message: string,
) {
  setCookie(sessionCookie(deps.settings, headers, ''))
  return { message }
}

/** The value of the browser cookie, set when this browser first asked for a code. */
function browserOf(deps: Pick<Deps, 'settings'>, headers: HeaderPairs): string | undefined {
  const browser = readCookie(deps.settings, headers, 'browser')
  return browser !== undefined && BROWSER.test(browser) ? browser : undefined
}

function asker(
  deps: Pick<Deps, 'sha256'>,
  body: { itcode: string; invite_code?: string | null | undefined; invitation?: string | null | undefined },
  browser: string,
  ip: string,
) {
  return {
    itcode: body.itcode,
    inviteCode: body.invite_code?.trim() || undefined,
    invitation: body.invitation?.trim() || undefined,
    browser: deps.sha256(browser),
    ip: addressGroup(ip),
  }
}
