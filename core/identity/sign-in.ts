/** Signing in at a provider's page: the browser leaves with a sealed cookie and comes back with an answer to it. */
import { eq } from 'drizzle-orm'
import { type Actor, auditTally } from '../audit/record.ts'
import type { User } from '../auth/account.ts'
import { openSession } from '../auth/sessions.ts'
import { identities } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { nothingHere } from '../errors.ts'
import { ownAmount } from '../limits/spend-limit.ts'
import { applyClaims } from './apply.ts'
import { groupsIn, isAllowed } from './claims.ts'
import { decryptFlow, encryptFlow, localPath, newSecrets } from './flow.ts'
import { type Joined, join } from './joining.ts'
import { resumingUser } from './pause.ts'
import { type LoginProvider, ProviderRefused, ProviderUnavailable, type Verified } from './provider.ts'
import { refusalOf, SignInRefused } from './refused.ts'
import { storedToken } from './token.ts'

type Parts = Pick<Deps, 'db' | 'clock' | 'settings' | 'logger' | 'logins' | 'secrets' | 'keyCache'>

/** The browser that signs in. `previous`: the id of its earlier session, which ends. */
export interface Arriving {
  actor: Actor & { ip: string }
  userAgent: string
  previous: string | undefined
}

/** The provider of this name whose page people go to. Throws a Refusal not_found, also without server.public_url. */
function pageOf({ logins, settings }: Pick<Parts, 'logins' | 'settings'>, name: string) {
  const provider = logins.find((one) => one.name === name)
  if (!provider?.page || settings.publicUrl === '') throw nothingHere()
  const redirectUri = `${settings.publicUrl}/api/auth/oidc/${name}/callback`
  return { provider, page: provider.page, redirectUri }
}

/** Where the browser goes, and what it has to bring back. Throws a Refusal not_found, or a SignInRefused. */
export async function startSignIn(
  parts: Parts,
  name: string,
  next: string | undefined,
): Promise<{ address: string; sealed: string }> {
  const { page, redirectUri } = pageOf(parts, name)
  const secrets = newSecrets()
  const flow = { ...secrets, next: localPath(next), startedAt: parts.clock.now() }
  const [address, sealed] = await Promise.all([
    page.address(redirectUri, secrets).catch((cause) => fail(parts, name, cause)),
    encryptFlow(parts.settings.auth, name, flow),
  ])
  return { address, sealed }
}

/** Opens a session for who came back. Throws a Refusal not_found, or a SignInRefused. */
export async function finishSignIn(
  parts: Parts,
  name: string,
  { search, sealed, ...browser }: Arriving & { search: string; sealed: string | undefined },
): Promise<{ token: string; next: string }> {
  const { provider, page, redirectUri } = pageOf(parts, name)
  const { clock, settings } = parts
  const flow =
    sealed === undefined ? undefined : await decryptFlow(settings.auth, name, { sealed, now: clock.now() })
  if (!flow) throw new SignInRefused('expired')
  const callback = new URL(search, redirectUri)
  const { state, nonce, verifier } = flow
  const verified = await page
    .arrive(callback, redirectUri, { state, nonce, verifier })
    .catch((cause) => fail(parts, name, cause))
  const { token } = await admit(parts, provider, verified, browser)
  return { token, next: flow.next }
}

/** Opens a session for a name and a password. Throws a Refusal. */
export async function passwordSignIn(
  parts: Parts & Pick<Deps, 'signInLimits'>,
  { name, password, ...browser }: Arriving & { name: string; password: string },
): Promise<{ user: User; ownMicros: number; token: string }> {
  const provider = parts.logins.find((one) => one.password)
  if (!provider?.password) throw nothingHere()
  parts.signInLimits.guess(`${provider.name} ${name.toLowerCase()}`, undefined)
  const { db, clock } = parts
  try {
    const verified = await provider
      .password(name, password)
      .catch((cause) => fail(parts, provider.name, cause))
    return await admit(parts, provider, verified, browser)
  } catch (thrown) {
    if (!(thrown instanceof SignInRefused)) throw thrown
    const event = { actor: browser.actor, at: clock.now(), action: 'login.failed' as const }
    if (thrown.problem === 'failed') await auditTally(db, { ...event, target: `provider:${provider.name}` })
    throw refusalOf(thrown)
  }
}

/** Logs what went wrong at the provider, and throws a SignInRefused. */
function fail({ logger }: Parts, provider: string, cause: unknown): never {
  const problem = cause instanceof ProviderUnavailable ? 'provider_unavailable' : 'failed'
  const level = cause instanceof ProviderRefused ? 'info' : 'warn'
  const inner = Object(Object(cause).cause)
  const why = inner.error_description ?? inner.message
  logger[level]('sign_in.failed', { provider, cause: String(cause), why: why && String(why) })
  throw new SignInRefused(problem, { cause })
}

/** Opens a session for somebody whom a provider vouches for. Throws a SignInRefused. */
async function admit(
  parts: Parts,
  provider: LoginProvider,
  verified: Verified,
  { actor, userAgent, previous }: Arriving,
): Promise<{ user: User; ownMicros: number; token: string }> {
  const { db, clock, settings } = parts
  try {
    const { rules } = provider
    if (!isAllowed(groupsIn(verified.claims, rules), rules)) throw new SignInRefused('not_allowed')
    const { user, identity } = await join({ ...parts, actor }, provider, verified)
    if (user.status === 'disabled' || user.deletedAt !== null || user.kind === 'service') {
      throw new SignInRefused('account_disabled')
    }
    const own = { ...actor, id: user.id }
    await keep(parts, { user, identity }, verified.refreshToken, own)
    await applyClaims(parts, user.id, provider, verified.claims)
    await parts.keyCache.changed()
    const session = { userId: user.id, itcode: user.itcode, ip: actor.ip, userAgent, previous }
    const ownMicros = await ownAmount(db, user.id, settings.limits.period)
    const token = await openSession({ db, clock, auth: settings.auth, actor: own }, session)
    return { user, ownMicros, token }
  } catch (thrown) {
    if (thrown instanceof SignInRefused) {
      const { issuer, name } = provider
      // An administrator joins them by these.
      parts.logger.info('sign_in.refused', {
        problem: thrown.problem,
        issuer,
        subject: verified.subject,
        provider: name,
      })
      const event = {
        actor,
        at: clock.now(),
        action: 'login.refused' as const,
        target: `provider:${provider.name}`,
      }
      await auditTally(db, event)
    }
    throw thrown
  }
}

/** Notes that the provider vouched for them now, and keeps its refresh token where secrets can be kept. */
async function keep(
  { db, clock, secrets }: Pick<Parts, 'db' | 'clock' | 'secrets'>,
  { user, identity }: Joined,
  refreshToken: string | undefined,
  actor: Actor,
) {
  const now = clock.now()
  const stored = await storedToken(secrets, identity, refreshToken)
  await db.batch([
    db
      .update(identities)
      .set({ refreshToken: stored, verifiedAt: now, failingSince: null, claimedUntil: 0 })
      .where(eq(identities.id, identity.id)),
    ...resumingUser(db, { userId: user.id, actor, now }),
  ])
}
