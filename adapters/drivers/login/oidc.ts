/** OpenID Connect with discovery, PKCE, state, nonce and the issuer's parameter (RFC 9207), by openid-client. */
import type * as openid from 'openid-client'
import type { OidcProvider } from '../../../config/login.ts'
import { claimAt } from '../../../core/identity/claims.ts'
import {
  type Claims,
  type LoginProvider,
  ProviderRefused,
  ProviderUnavailable,
  type SignInSecrets,
  type Verified,
} from '../../../core/identity/provider.ts'
import { HOUR_MS } from '../../../core/units.ts'
import { rulesFrom } from './rules.ts'

type OpenId = typeof openid
type Tokens = Pick<
  Awaited<ReturnType<OpenId['refreshTokenGrant']>>,
  'access_token' | 'refresh_token' | 'claims'
>

const TIMEOUT_S = 10
/** What the provider says of itself is read again after this long. */
const DISCOVERED_MS = HOUR_MS
/** The token is worth nothing, the person did not agree, or has to come themselves. */
const DENIALS = [
  'invalid_grant',
  'access_denied',
  'login_required',
  'interaction_required',
  'consent_required',
]
/** openid-client's codes for other refusals, such as invalid_client, and for answers that are none, such as those of proxies. */
const AWAY = [
  'OAUTH_RESPONSE_BODY_ERROR',
  'OAUTH_AUTHORIZATION_RESPONSE_ERROR',
  'OAUTH_WWW_AUTHENTICATE_CHALLENGE',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
]

/** `now` in ms that never run backwards. */
export function oidcLogin(config: OidcProvider, now: () => number): LoginProvider {
  const discovered = discovery(config, now)
  const verified = async (parts: Discovered, tokens: Tokens, subject: string): Promise<Verified> => {
    const claims = await withUserInfo(parts, config, tokens, subject)
    return { subject, claims, refreshToken: tokens.refresh_token }
  }
  return {
    name: config.name,
    label: config.label ?? config.name,
    issuer: config.issuer,
    rules: rulesFrom(config, 'oidc'),
    page: {
      async address(redirectUri, { state, nonce, verifier }) {
        const { lib, at } = await discovered()
        const code_challenge = await lib.calculatePKCECodeChallenge(verifier)
        const scope = config.scopes.join(' ')
        const asked = { redirect_uri: redirectUri, scope, state, nonce }
        // Google gives refresh tokens only when it is asked so; others ignore it.
        const offline = at.serverMetadata().issuer === 'https://accounts.google.com' ? GOOGLE_OFFLINE : {}
        const pkce = { code_challenge, code_challenge_method: 'S256' }
        return lib.buildAuthorizationUrl(at, { ...asked, ...pkce, ...offline }).href
      },
      async arrive(callback, redirectUri, secrets) {
        const parts = await discovered()
        const tokens = await asking(() => exchange(parts, { callback, redirectUri, secrets }))
        const subject = tokens.claims()?.sub
        if (subject === undefined) throw new Error('the provider sent no ID token')
        return verified(parts, tokens, subject)
      },
    },
    again: {
      needsToken: true,
      async ask({ subject, refreshToken = '' }) {
        const parts = await discovered()
        const tokens = await asking(() => parts.lib.refreshTokenGrant(parts.at, refreshToken))
        const named = tokens.claims()?.sub
        if (named !== undefined && named !== subject)
          throw new Error('the provider answered for somebody else')
        return verified(parts, tokens, subject)
      },
    },
  }
}

const GOOGLE_OFFLINE = { access_type: 'offline', prompt: 'consent' }

interface Discovered {
  lib: OpenId
  at: openid.Configuration
}

/** Reads the provider's metadata once an hour. A failure is not kept. */
function discovery(config: OidcProvider, now: () => number): () => Promise<Discovered> {
  let known: { at: number; read: Promise<Discovered> } | undefined
  const read = async (): Promise<Discovered> => {
    // Loaded by the first sign-in, because most processes see none before their first call.
    const lib = await import('openid-client')
    const issuer = new URL(config.issuer)
    const auth = config.client_secret === '' ? lib.None() : undefined
    const execute = issuer.protocol === 'http:' ? [lib.allowInsecureRequests] : []
    const found = await asking(() =>
      lib.discovery(issuer, config.client_id, config.client_secret || undefined, auth, {
        execute,
        timeout: TIMEOUT_S,
      }),
    )
    return { lib, at: found }
  }
  return () => {
    if (known && now() - known.at < DISCOVERED_MS) return known.read
    const fresh = { at: now(), read: read() }
    known = fresh
    fresh.read.catch(() => {
      if (known === fresh) known = undefined
    })
    return fresh.read
  }
}

function exchange(
  { lib, at }: Discovered,
  { callback, redirectUri, secrets }: { callback: URL; redirectUri: string; secrets: SignInSecrets },
): Promise<Tokens> {
  // The redirect URI is what was sent before, whatever address this process sees.
  const answer = new URL(redirectUri)
  answer.search = callback.search
  return lib.authorizationCodeGrant(at, answer, {
    expectedState: secrets.state,
    expectedNonce: secrets.nonce,
    pkceCodeVerifier: secrets.verifier,
    idTokenExpected: true,
  })
}

/** The claims of the ID token, and those of /userinfo where groups are there, or one of both is missing. */
async function withUserInfo(
  { lib, at }: Discovered,
  config: OidcProvider,
  tokens: Tokens,
  subject: string,
): Promise<Claims> {
  const claims: Claims = { ...tokens.claims() }
  const { groups_claim: groups, groups_from } = config
  const lacks = (groups !== '' && claimAt(claims, groups) === undefined) || claims.email === undefined
  const isAsked = groups_from === 'userinfo' || lacks
  if (!isAsked || at.serverMetadata().userinfo_endpoint === undefined) return claims
  try {
    const more = await lib.fetchUserInfo(at, tokens.access_token, subject)
    return groups_from === 'userinfo' ? { ...claims, ...more } : { ...more, ...claims }
  } catch {
    // What it would have said is not known then.
    return claims
  }
}

/** Throws ProviderRefused where the provider says no, ProviderUnavailable where it cannot say or does not know the gateway. */
async function asking<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    const { error, code, message } = Object(cause)
    if (DENIALS.includes(error)) throw new ProviderRefused(String(error), { cause })
    if (cause instanceof TypeError || AWAY.includes(code)) {
      throw new ProviderUnavailable(String(error ?? message), { cause })
    }
    throw cause
  }
}
