/** Routes of the company's own sign-in. Browsers come to them by links and redirects, so what fails is told on the sign-in page. */
import * as z from 'zod'
import { headerOf } from '../core/http/headers.ts'
import { FLOW_MS } from '../core/identity/flow.ts'
import { SignInRefused } from '../core/identity/refused.ts'
import { finishSignIn, passwordSignIn, startSignIn } from '../core/identity/sign-in.ts'
import { addressGroup } from './client-address.ts'
import { flowCookie, readCookie, sessionCookie } from './cookies.ts'
import { line, optionalLine, password } from './fields.ts'
import { sessionOf } from './identify.ts'
import { route } from './route.ts'
import { UserView, userView } from './views.ts'

export const sso = [
  route({
    method: 'GET',
    path: '/api/auth/oidc/:provider/start',
    tier: 'public',
    summary: 'Sends the browser to the sign-in page of a provider.',
    errors: [404, 429],
    query: z.object({
      next: optionalLine(2_000)
        .optional()
        .meta({ description: 'The page of the dashboard to go to afterwards.' }),
    }),
    status: 303,
    async handle({ deps, headers, params, query, actor, setCookie }) {
      deps.signInLimits.request(addressGroup(actor.ip))
      return toPage(async () => {
        const { address, sealed } = await startSignIn(deps, params.provider, query.next)
        setCookie(flowCookie(deps.settings, headers, sealed, FLOW_MS))
        return address
      })
    },
  }),
  route({
    method: 'GET',
    path: '/api/auth/oidc/:provider/callback',
    tier: 'public',
    summary: 'Takes the browser back from a provider, and opens a session.',
    errors: [404, 429],
    status: 303,
    async handle({ deps, headers, params, target, actor, setCookie }) {
      deps.signInLimits.request(addressGroup(actor.ip))
      const sealed = readCookie(deps.settings, headers, 'sign-in')
      // It is worth one answer, whatever that is.
      setCookie(flowCookie(deps.settings, headers, '', 0))
      return toPage(async () => {
        const { token, next } = await finishSignIn(deps, params.provider, {
          search: /\?.*$/.exec(target)?.[0] ?? '',
          sealed,
          actor,
          userAgent: headerOf(headers, 'user-agent') ?? '',
          previous: (await sessionOf(deps, headers))?.sessionId,
        })
        setCookie(sessionCookie(deps.settings, headers, token))
        return next
      })
    },
  }),
  route({
    method: 'POST',
    path: '/api/auth/ldap',
    tier: 'public',
    summary: "Signs in with name and password of the company's directory.",
    errors: [401, 404],
    body: z.strictObject({ name: line(254), password }),
    reply: z.strictObject({ user: UserView }),
    async handle({ deps, headers, body, actor, setCookie }) {
      const { user, ownMicros, token } = await passwordSignIn(deps, {
        ...body,
        actor,
        userAgent: headerOf(headers, 'user-agent') ?? '',
        previous: (await sessionOf(deps, headers))?.sessionId,
      })
      setCookie(sessionCookie(deps.settings, headers, token))
      return { user: userView(user, ownMicros) }
    },
  }),
]

/** Redirects to the page that `find` returns, or back to the sign-in page with what went wrong. */
async function toPage(find: () => Promise<string>): Promise<Response> {
  const location = await find().catch((thrown) => {
    if (thrown instanceof SignInRefused) return `/login?problem=${thrown.problem}`
    throw thrown
  })
  return new Response(null, { status: 303, headers: { location, 'cache-control': 'no-store' } })
}
