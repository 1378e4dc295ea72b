/**
 * Which account somebody has who comes from a provider: the one of this subject; else the one that SCIM keeps under the same
 * id; else the one with their address; else a new one.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { findAccount, isAtAllowedDomain, type User } from '../auth/account.ts'
import { identities, scimUsers, users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { randomText } from '../ids.ts'
import { noticeIfChanged } from '../notices/outbox.ts'
import { invitationOfAddress } from '../organisation/invitations.ts'
import type { Db } from '../ports.ts'
import { addressOf, mailTo } from '../users/address.ts'
import { registerInvited, registerUser } from '../users/manage.ts'
import { nameIn, textAt, trustedAddress } from './claims.ts'
import type { LoginProvider, Verified } from './provider.ts'
import { type SignInProblem, SignInRefused } from './refused.ts'

type Parts = Pick<Deps, 'db' | 'clock' | 'settings'> & { actor: Actor }
export type Identity = typeof identities.$inferSelect

export interface Joined {
  user: User
  identity: Identity
}

/** Throws SignInRefused where the person has no account and gets none. */
export async function join(
  parts: Parts,
  provider: LoginProvider,
  verified: Verified,
  tries = 2,
): Promise<Joined> {
  const { db, settings } = parts
  const { issuer, rules } = provider
  const who = { issuer, subject: verified.subject }
  const known = await identityOf(db, who)
  if (known) return known
  const kept = await keptByScim(db, textAt(verified.claims, rules.joinClaim))
  if (kept && (await addIdentity(parts, who, kept.id))) return again(db, who)
  const address = spelled(trustedAddress(verified.claims, rules, issuer))
  const holder = address === undefined ? undefined : await findAccount(db, settings.auth, address)
  if (holder) {
    // Of an account with rights, or one that somebody else at this provider has, an address alone proves nothing. Nor of one that
    // is only called so and has its mail elsewhere by now, because somebody else may have the address since.
    const isTheirs = mailTo(holder, settings.auth) === address
    if (isTheirs && (await addIdentity(parts, who, holder.id, { suitable: isPlain(issuer), tell: true })))
      return again(db, who)
    return (await identityOf(db, who)) ?? refuse('address_taken')
  }
  const made = await newcomer(parts, { provider, verified, address })
  if (made && (await addIdentity(parts, who, made.id))) return again(db, who)
  // Another request of theirs was faster.
  return tries > 1 ? join(parts, provider, verified, tries - 1) : refuse('address_taken')
}

function refuse(problem: SignInProblem): never {
  throw new SignInRefused(problem)
}

async function again(db: Db, who: { issuer: string; subject: string }): Promise<Joined> {
  return (await identityOf(db, who)) ?? refuse('no_account')
}

async function identityOf(
  db: Db,
  { issuer, subject }: { issuer: string; subject: string },
): Promise<Joined | undefined> {
  const [found] = await db
    .select({ user: users, identity: identities })
    .from(identities)
    .innerJoin(users, eq(users.id, identities.userId))
    .where(and(eq(identities.issuer, issuer), eq(identities.subject, subject)))
  return found
}

async function keptByScim(db: Db, externalId: string | undefined): Promise<User | undefined> {
  if (externalId === undefined) return undefined
  const found = await db
    .select({ user: users })
    .from(scimUsers)
    .innerJoin(users, eq(users.id, scimUsers.userId))
    .where(and(eq(scimUsers.externalId, externalId), isNull(users.deletedAt), eq(users.kind, 'person')))
    .limit(2)
  return found.length === 1 ? found[0]?.user : undefined
}

/** The address in the one spelling of this gateway; undefined where it is none. */
function spelled(address: string | undefined): string | undefined {
  if (address === undefined) return undefined
  try {
    return addressOf(address)
  } catch {
    return undefined
  }
}

/** A person without rights whom nobody else at this issuer is. The statement itself says so, because roles may change meanwhile. */
function isPlain(issuer: string): SQL | undefined {
  return and(
    eq(users.kind, 'person'),
    eq(users.role, 'user'),
    isNull(users.deletedAt),
    sql`not exists (select 1 from group_members where group_members.user_id = ${users.id} and group_members.role = 'lead')`,
    sql`not exists (select 1 from identities as other where other.user_id = ${users.id} and other.issuer = ${issuer})`,
  )
}

/** Joins an identity to an account; false if the account is not `suitable` or the identity has one already. */
export async function addIdentity(
  { db, clock, actor }: Pick<Parts, 'db' | 'clock' | 'actor'>,
  { issuer, subject }: { issuer: string; subject: string },
  userId: number,
  {
    suitable = and(eq(users.kind, 'person'), isNull(users.deletedAt)),
    tell = false,
  }: { suitable?: SQL | undefined; tell?: boolean } = {},
): Promise<boolean> {
  const now = clock.now()
  const [added] = await db.batch([
    db.all<{
      id: number
    }>(sql`insert into identities (user_id, issuer, subject, verified_at, claimed_until, created_at)
      select ${users.id}, ${issuer}, ${subject}, ${now}, 0, ${now} from ${users}
      where ${users.id} = ${userId} and ${suitable} on conflict do nothing returning id`),
    auditIfChanged(db, {
      actor: { ...actor, id: actor.id ?? userId },
      at: now,
      action: 'identity.join',
      target: `user:${userId}`,
      after: { issuer, subject },
    }),
    ...(tell
      ? [
          noticeIfChanged(db, {
            event: 'identity.joined',
            data: { user_id: userId, issuer },
            key: `${userId} ${issuer} ${now}`,
            at: now,
          }),
        ]
      : []),
  ])
  return added.length > 0
}

/**
 * A new account: by an invitation to their address, or where the provider registers people. Undefined if its name has just been
 * taken. Throws a SignInRefused.
 */
async function newcomer(
  { db, clock, settings, actor }: Parts,
  {
    provider,
    verified,
    address,
  }: { provider: LoginProvider; verified: Verified; address: string | undefined },
): Promise<User | undefined> {
  const { auth, limits } = settings
  const name = nameIn(verified.claims)
  const itcode = address ?? unusedName(provider.name)
  const person = { itcode, name, quotaTokens: limits.defaultQuotaTokens }
  const parts = { db, clock, actor }
  const invitation = address === undefined ? undefined : await invitationOfAddress(parts, address)
  // Whoever can set addresses at the provider must not get rights by them.
  if (invitation?.role === 'user') {
    const made = await registerInvited(parts, invitation.id, person)
    if (made !== 'closed') return made
  }
  if (!provider.rules.register || !isAtAllowedDomain(address ?? '', auth)) return refuse('no_account')
  return registerUser(parts, { ...person, role: 'user' })
}

/** A name that is nobody's mailbox, because codes are mailed to whoever has a name. */
function unusedName(provider: string): string {
  return `${provider}-${randomText(12, 'abcdefghjkmnpqrstuvwxyz23456789')}`
}
