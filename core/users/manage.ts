/** Creates and changes users. Every change is audited in the same batch and holds from the next request on. */
import { and, asc, eq, exists, isNull, sql } from 'drizzle-orm'
import { auditedRates, changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import {
  accountName,
  assertUnmistakable,
  findAccount,
  findByName,
  givenName,
  type User,
} from '../auth/account.ts'
import { closeSessionsOf } from '../auth/sessions.ts'
import { loginCodes, scimUsers, users } from '../db/schema.ts'
import { endingDevicesOf } from '../devices/end.ts'
import { nothingHere, Refusal } from '../errors.ts'
import { grantingLimit, removingLimit } from '../limits/person-limit.ts'
import { ownAmounts } from '../limits/spend-limit.ts'
import { acceptingInvitation, type Invitation, invitationOf, statusOf } from '../organisation/invitations.ts'
import type { Clock, Db } from '../ports.ts'
import type { Period, Settings } from '../settings.ts'
import { storable } from '../text.ts'
import { usdOf } from '../units.ts'
import { type Address, assertFreeAddress } from './address.ts'
import { isNotLastAdmin, lastAdmin } from './last-admin.ts'

type Rate = 'requestsPerMinute' | 'tokensPerMinute' | 'concurrentRequests'
/** A spend limit of limits.period; 0 micro-dollars = no limit of their own, but of an invitation that nothing may be spent. */
interface OwnLimit {
  micros: number
  period: Period
}

/** Rates: undefined or null = as configured. */
export interface NewUser extends Partial<{ [K in Rate]: User[K] | undefined }> {
  itcode: string
  name?: string | undefined
  role: User['role']
  kind?: User['kind'] | undefined
  quotaTokens: number
  ownLimit?: OwnLimit | undefined
  /** Of a service account, its owner. */
  billingGroupId?: number | null | undefined
  /** Beside the name; it must be free: `isFreeAddress`. */
  address?: Address | undefined
  /** What makes the account: its groups are given too. */
  invitation?: Invitation | undefined
}
type Changeable = 'name' | 'role' | 'status' | 'quotaTokens' | Rate | 'billingGroupId'
export type UserChange = { [K in Changeable]?: User[K] | undefined } & { ownLimit?: OwnLimit | undefined }

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** Throws a Refusal: invalid_input for an invalid name; conflict if the account exists, with or without its mail domain. */
export async function createUser(parts: Parts & { settings: Settings }, wanted: NewUser): Promise<User> {
  if (wanted.kind === 'service' && wanted.role !== 'user') throw noRole()
  const itcode = accountName(wanted.itcode)
  const { auth } = parts.settings
  const known = await findAccount(parts.db, auth, itcode)
  const { address } = wanted
  if (address) await assertFreeAddress({ db: parts.db, auth }, address.email)
  const user = known ? undefined : await registerUser(parts, wanted)
  if (known?.deletedAt != null) {
    throw new Refusal(
      'conflict',
      `A deleted account is called ${known.itcode}. Revive it, or release its name.`,
    )
  }
  if (!user) throw new Refusal('conflict', `There is a user ${known?.itcode ?? itcode} already.`)
  return user
}

/**
 * Makes an account; undefined if the name exists. Throws a Refusal invalid_input for an invalid name; rejects where `invitation`
 * was used up in the meantime.
 */
export async function registerUser({ db, clock, actor }: Parts, wanted: NewUser): Promise<User | undefined> {
  const itcode = accountName(wanted.itcode)
  assertUnmistakable(itcode)
  const now = clock.now()
  const { role, kind = 'person', quotaTokens, ownLimit, billingGroupId = null } = wanted
  const { requestsPerMinute = null, tokensPerMinute = null, concurrentRequests = null } = wanted
  const email = wanted.address?.email ?? null
  const emailUnconfirmed = wanted.address?.confirmed === false
  const limits = { quotaTokens, requestsPerMinute, tokensPerMinute, concurrentRequests, billingGroupId }
  const name = storable(wanted.name?.trim() || itcode)
  const times = { createdAt: now, updatedAt: now }
  const [[user]] = await db.batch([
    db
      .insert(users)
      .values({ itcode, name, role, kind, status: 'active', email, emailUnconfirmed, ...limits, ...times })
      .onConflictDoNothing()
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.create',
      target: `user:${itcode}`,
      after: {
        name,
        role,
        kind,
        status: 'active',
        email,
        email_confirmed: !emailUnconfirmed,
        quota_tokens: quotaTokens,
        budget_usd: usdOf(ownLimit?.micros ?? 0),
        requests_per_minute: requestsPerMinute,
        tokens_per_minute: tokensPerMinute,
        concurrent_requests: concurrentRequests,
        billing_group_id: billingGroupId,
      },
    }),
    // An invitation may give a limit of 0, so that nothing is spent.
    ...(ownLimit && (ownLimit.micros > 0 || wanted.invitation)
      ? [grantingLimit(db, { itcode }, { ...ownLimit, until: null }, { now, condition: sql`changes() > 0` })]
      : []),
    ...(wanted.invitation ? acceptingInvitation(db, wanted.invitation, { itcode, actor, now }) : []),
  ])
  return user
}

/**
 * Makes the account of an invited person; undefined if the name exists, `closed` where nobody can use the invitation any
 * more. Throws a Refusal invalid_input for an invalid name.
 */
export async function registerInvited(
  parts: Parts,
  invitationId: number,
  wanted: Pick<NewUser, 'itcode' | 'quotaTokens' | 'address' | 'name'>,
): Promise<User | undefined | 'closed'> {
  const { db, clock } = parts
  const isOpen = async () => statusOf(await invitationOf(db, invitationId), clock.now()) === 'pending'
  const invitation = await invitationOf(db, invitationId)
  if (!(await isOpen())) return 'closed'
  const { name, role, limitMicros: micros, limitPeriod: period } = invitation
  const ownLimit = micros !== null && period !== null ? { micros, period } : undefined
  try {
    return await registerUser(parts, { name: name ?? undefined, ...wanted, role, ownLimit, invitation })
  } catch (thrown) {
    // Somebody else used it in between.
    if (await isOpen()) throw thrown
    return 'closed'
  }
}

/**
 * Changes a user. Disabling also ends their sessions, devices and codes, and a directory cannot undo it. Throws a Refusal: not_found,
 * or conflict if no active admin would be left.
 */
export async function updateUser({ db, clock, actor }: Parts, id: number, given: UserChange): Promise<User> {
  const { ownLimit, ...change } = given
  const [before] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, id), isNull(users.deletedAt)))
  if (!before) throw new Refusal('not_found', 'There is no such user.')
  if (before.kind === 'service' && (change.role ?? 'user') !== 'user') {
    throw noRole()
  }
  const now = clock.now()
  const staysAdmin = (change.role ?? before.role) === 'admin' && (change.status ?? before.status) === 'active'
  const allowed = staysAdmin ? undefined : isNotLastAdmin(id)
  // This condition is evaluated after the first statement of the batch.
  const isDisabled = exists(
    db
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.id, id), eq(users.status, 'disabled'))),
  )
  const own = ownLimit && (await ownAmounts(db, [id], ownLimit.period)).get(id)
  const openCodes = and(eq(loginCodes.itcode, before.itcode), isNull(loginCodes.consumedAt))
  const [[user]] = await db.batch([
    db
      .update(users)
      .set({ ...change, updatedAt: now })
      .where(and(eq(users.id, id), isNull(users.deletedAt), allowed))
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.update',
      target: `user:${id}`,
      ...changeOf(
        { ...audited(before), budget_usd: usdOf(own ?? 0) },
        { ...audited(change), budget_usd: ownLimit && usdOf(ownLimit.micros) },
      ),
    }),
    ...(ownLimit ? [settingLimit(db, id, ownLimit, now)] : []),
    closeSessionsOf(db, id, now, isDisabled),
    ...endingDevicesOf(db, id, now, isDisabled),
    ...(change.status === undefined
      ? []
      : [db.update(scimUsers).set({ deactivated: false }).where(eq(scimUsers.userId, id))]),
    db.update(loginCodes).set({ consumedAt: now }).where(and(openCodes, isDisabled)),
  ])
  if (!user) throw lastAdmin()
  return user
}

function noRole(): Refusal {
  return new Refusal('conflict', 'A service account has no role, because nobody signs in to it.')
}

/** For a batch: sets or removes their own limit if the statement before changed something. */
function settingLimit(db: Db, userId: number, { micros, period }: OwnLimit, now: number) {
  const condition = sql`changes() > 0`
  return micros > 0
    ? grantingLimit(db, { userId }, { micros, period, until: null }, { now, condition })
    : removingLimit(db, userId, period, condition)
}

function audited({ name, role, status, quotaTokens, billingGroupId, ...rates }: UserChange) {
  return {
    name,
    role,
    status,
    quota_tokens: quotaTokens,
    billing_group_id: billingGroupId,
    ...auditedRates(rates),
  }
}

export async function findUser(db: Db, itcode: string): Promise<User | undefined> {
  const [user] = await findByName(db, [givenName(itcode)])
  return user
}

/** Also one that was deleted. Throws a Refusal not_found. */
export async function userOf(db: Db, id: number): Promise<User> {
  const [user] = await db.select().from(users).where(eq(users.id, id))
  if (!user) throw nothingHere()
  return user
}

/** All that are not deleted. */
export function listUsers(db: Db): Promise<User[]> {
  return db.select().from(users).where(isNull(users.deletedAt)).orderBy(asc(users.id))
}
