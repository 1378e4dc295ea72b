/** Claude Code signs in: OAuth 2.0 for devices (RFC 8628), with tokens that are good where a key is. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { askForGrant, poll } from '../core/devices/authorize.ts'
import { endByRefreshToken, endDevice } from '../core/devices/end.ts'
import { refreshDevice } from '../core/devices/refresh.ts'
import { openDevice, type Tokens } from '../core/devices/tokens.ts'
import { nothingHere } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import { askAboutPerson } from '../core/identity/refresh.ts'
import { limitsOfPerson } from '../core/limits/caps.ts'
import { planUsage } from '../core/limits/plan-usage.ts'
import { addressGroup } from './client-address.ts'
import { callerOf } from './identify.ts'
import { type RouteCall, route } from './route.ts'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const FORM = 'application/x-www-form-urlencoded'
const text = z.string().max(1024)
/** However many of the characters are encoded. */
const FORM_BYTES = 262_144

const TokenAnswer = z.strictObject({
  access_token: z.string(),
  refresh_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.int(),
  email: z.string(),
})
const amount = z.number().nullable()
const Unlimited = z.strictObject({ limit: z.null(), used_credits: z.number(), utilization: z.null() })
const PlanUsage = z.strictObject({
  extra_usage: z.strictObject({
    is_enabled: z.literal(true),
    monthly_limit: amount,
    used_credits: z.number(),
    utilization: amount,
    currency: z.literal('USD'),
  }),
  limits: z.array(
    z.strictObject({
      kind: z.literal('spend'),
      group: z.enum(['daily', 'weekly', 'monthly']),
      percent: z.int(),
      resets_at: z.string(),
      severity: z.literal('normal'),
      is_active: z.boolean(),
    }),
  ),
  daily: Unlimited.optional(),
  weekly: Unlimited.optional(),
})
/** What is not known is ignored: https://www.rfc-editor.org/rfc/rfc6749#section-3.2 */
const TokenRequest = z.looseObject({
  grant_type: text,
  device_code: text.optional(),
  refresh_token: text.optional(),
})
type DeviceCall<B> = Pick<RouteCall<string, 'device', undefined, undefined>, 'deps' | 'actor'> & { body: B }

export const claudeCode = [
  route({
    method: 'GET',
    path: '/.well-known/oauth-authorization-server',
    tier: 'device',
    dialect: 'oauth',
    summary: 'Where a program signs in (RFC 8414). 404 without server.public_url.',
    errors: [404],
    reply: z.strictObject({
      issuer: z.string(),
      device_authorization_endpoint: z.string(),
      token_endpoint: z.string(),
      revocation_endpoint: z.string(),
      grant_types_supported: z.array(z.string()),
      response_types_supported: z.array(z.string()),
      token_endpoint_auth_methods_supported: z.array(z.string()),
      gateway_protocol_version: z.int(),
    }),
    handle({ deps }) {
      const base = baseOf(deps)
      return {
        issuer: base,
        device_authorization_endpoint: `${base}/oauth/device_authorization`,
        token_endpoint: `${base}/oauth/token`,
        revocation_endpoint: `${base}/oauth/revoke`,
        grant_types_supported: [DEVICE_GRANT, 'refresh_token'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ['none'],
        gateway_protocol_version: 1,
      }
    },
  }),
  route({
    method: 'POST',
    path: '/oauth/device_authorization',
    tier: 'device',
    dialect: 'oauth',
    summary: 'A program asks to be let in, and gets the code that a person enters at /device.',
    errors: [404, 429],
    body: z.looseObject({}),
    bodyType: FORM,
    bodyBytes: FORM_BYTES,
    reply: z.strictObject({
      device_code: z.string(),
      user_code: z.string(),
      verification_uri: z.string(),
      verification_uri_complete: z.string(),
      expires_in: z.int(),
      interval: z.int(),
      login_notice: z.string().optional(),
    }),
    async handle({ deps, headers, actor: { ip } }) {
      const base = baseOf(deps)
      const client = headerOf(headers, 'user-agent') ?? ''
      const asked = await askForGrant(deps, { client, ip: addressGroup(ip) })
      if (asked.delayMs > 0) {
        await new Promise<void>((resolve) => deps.clock.after(asked.delayMs, resolve))
      }
      const { loginNotice } = deps.settings.claudeCode
      return {
        device_code: asked.deviceCode,
        user_code: asked.userCode,
        verification_uri: `${base}/device`,
        verification_uri_complete: `${base}/device?user_code=${asked.userCode}`,
        expires_in: asked.expiresInMs / 1000,
        interval: asked.intervalMs / 1000,
        ...(loginNotice === '' ? {} : { login_notice: loginNotice }),
      }
    },
  }),
  route({
    method: 'POST',
    path: '/oauth/token',
    tier: 'device',
    dialect: 'oauth',
    summary: 'The tokens of a program that a person let in, and their refresh.',
    errors: [401, 404],
    body: TokenRequest,
    bodyType: FORM,
    bodyBytes: FORM_BYTES,
    reply: TokenAnswer,
    handle(call) {
      baseOf(call.deps)
      return tokenAnswer(call)
    },
  }),
  route({
    method: 'POST',
    path: '/oauth/revoke',
    tier: 'device',
    dialect: 'oauth',
    summary: 'Signs a program out (RFC 7009).',
    body: z.looseObject({ token: z.string().max(4096) }),
    bodyType: FORM,
    bodyBytes: FORM_BYTES,
    reply: z.strictObject({}),
    async handle({ deps, body: { token }, actor }) {
      const parts = { ...deps, actor: { ...actor } }
      let ended = await endByRefreshToken(parts, token)
      const finding = Promise.resolve(callerOf(deps, [['authorization', `Bearer ${token}`]]))
      const caller = await finding.catch(() => undefined)
      if (caller) ended = (await endDevice(parts, caller.keyId)) || ended
      if (ended) await deps.keyCache.changed()
      return {}
    },
  }),
  route({
    method: 'GET',
    path: '/api/oauth/usage',
    tier: 'key',
    dialect: 'anthropic',
    summary:
      'What the caller spent of their limits, as Claude Code shows it under /usage. Amounts are in cents.',
    reply: PlanUsage,
    async handle({ deps, caller }) {
      const { caps, used } = await limitsOfPerson(deps, caller.userId, deps.clock.now())
      return planUsage(caps, used)
    },
  }),
]

async function tokenAnswer({ deps, body, actor }: DeviceCall<z.output<typeof TokenRequest>>) {
  if (body.grant_type === DEVICE_GRANT) {
    const answer = await poll(deps, body.device_code ?? '')
    if (answer.kind !== 'approved') return refused(400, answer.kind)
    const approved = { ...actor, id: answer.grant.userId }
    const tokens = await openDevice({ ...deps, actor: approved }, answer.grant)
    await deps.keyCache.changed()
    return tokens ? bodyOf(tokens) : refused(400, 'expired_token')
  }
  if (body.grant_type !== 'refresh_token') return refused(400, 'unsupported_grant_type')
  const ip = addressGroup(actor.ip)
  const vouch = (userId: number) => askAboutPerson(deps, userId)
  const tokens = await refreshDevice({ ...deps, vouch, actor: { ...actor, ip } }, body.refresh_token ?? '')
  return tokens ? bodyOf(tokens) : refused(401, 'invalid_grant')
}

function bodyOf({ accessToken, refreshToken, expiresInMs, email }: Tokens) {
  return {
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: 'Bearer' as const,
    expires_in: Math.floor(expiresInMs / 1000),
    email,
  }
}

const WHY = new Map(
  Object.entries<string>({
    authorization_pending: 'Nobody has decided yet.',
    slow_down: 'Ask less often.',
    access_denied: 'The person denied it.',
    expired_token: 'This code is too old or used up. Ask for a new one.',
    invalid_grant: 'This sign-in has ended. Sign in again.',
    unsupported_grant_type: 'Only device codes and refresh tokens are taken.',
  }),
)

function refused(status: number, error: string): Response {
  const headers = { 'cache-control': 'no-store' }
  return Response.json({ error, error_description: WHY.get(error) ?? '' }, { status, headers })
}

/** Throws a Refusal not_found where the gateway does not know its address, because no caller may say what it is. */
function baseOf({ settings }: Pick<Deps, 'settings'>): string {
  if (settings.publicUrl === '') throw nothingHere()
  return settings.publicUrl
}
