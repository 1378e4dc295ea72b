/** Creates and changes users. Every change is audited in the same batch and holds from the next request on. */
import { and, asc, eq, exists, isNull, ne, or } from 'drizzle-orm'
import { auditedLimits, changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { accountName, assertUnmistakable, findAccount, findByName, type User } from '../auth/account.ts'
import { closeSessionsOf } from '../auth/sessions.ts'
import { loginCodes, users } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { storable } from '../text.ts'
import { usdOf } from '../units.ts'

export interface NewUser {
  itcode: string
  name?: string | undefined
  role: User['role']
  quotaTokens: number
  budgetMicros: number
  /** Undefined or null = as configured. */
  requestsPerMinute?: number | null | undefined
  concurrentRequests?: number | null | undefined
}
type Changeable =
  | ('name' | 'role' | 'status')
  | ('quotaTokens' | 'budgetMicros' | 'requestsPerMinute' | 'concurrentRequests')
export type UserChange = { [K in Changeable]?: User[K] | undefined }

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** Throws a Refusal: invalid_input for an invalid name; conflict if the account exists, with or without its mail domain. */
export async function createUser(parts: Parts & { settings: Settings }, wanted: NewUser): Promise<User> {
  const itcode = accountName(wanted.itcode)
  const known = await findAccount(parts.db, parts.settings.auth, itcode)
  const user = known ? undefined : await registerUser(parts, wanted)
  if (!user) throw new Refusal('conflict', `There is a user ${known?.itcode ?? itcode} already.`)
  return user
}

/** Makes an account; undefined if the name exists. Throws a Refusal invalid_input for an invalid name. */
export async function registerUser({ db, clock, actor }: Parts, wanted: NewUser): Promise<User | undefined> {
  const itcode = accountName(wanted.itcode)
  assertUnmistakable(itcode)
  const now = clock.now()
  const { role, quotaTokens, budgetMicros, requestsPerMinute = null, concurrentRequests = null } = wanted
  const limits = { quotaTokens, budgetMicros, requestsPerMinute, concurrentRequests }
  const name = storable(wanted.name?.trim() || itcode)
  const times = { createdAt: now, updatedAt: now }
  const [[user]] = await db.batch([
    db
      .insert(users)
      .values({ itcode, name, role, status: 'active', ...limits, ...times })
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
        status: 'active',
        quota_tokens: quotaTokens,
        budget_usd: usdOf(budgetMicros),
        requests_per_minute: requestsPerMinute,
        concurrent_requests: concurrentRequests,
      },
    }),
  ])
  return user
}

/**
 * Changes a user. Disabling also ends their sessions and codes. Throws a Refusal: not_found, or conflict if no active admin
 * would be left.
 */
export async function updateUser({ db, clock, actor }: Parts, id: number, change: UserChange): Promise<User> {
  const [before] = await db.select().from(users).where(eq(users.id, id))
  if (!before) throw new Refusal('not_found', 'There is no such user.')
  const now = clock.now()
  const staysAdmin = (change.role ?? before.role) === 'admin' && (change.status ?? before.status) === 'active'
  // Checked in the statement itself, so that two admins cannot demote each other at the same moment.
  const isAdmin = and(eq(users.role, 'admin'), eq(users.status, 'active'))
  const others = db
    .select({ id: users.id })
    .from(users)
    .where(and(isAdmin, ne(users.id, id)))
  const allowed = staysAdmin
    ? undefined
    : or(ne(users.role, 'admin'), ne(users.status, 'active'), exists(others))
  // This condition is evaluated after the first statement of the batch.
  const isDisabled = exists(
    db
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.id, id), eq(users.status, 'disabled'))),
  )
  const openCodes = and(eq(loginCodes.itcode, before.itcode), isNull(loginCodes.consumedAt))
  const [[user]] = await db.batch([
    db
      .update(users)
      .set({ ...change, updatedAt: now })
      .where(and(eq(users.id, id), allowed))
      .returning(),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.update',
      target: `user:${id}`,
      ...changeOf(audited(before), audited(change)),
    }),
    closeSessionsOf(db, id, now, isDisabled),
    db.update(loginCodes).set({ consumedAt: now }).where(and(openCodes, isDisabled)),
  ])
  if (!user) throw new Refusal('conflict', 'There must be another active administrator first.')
  return user
}

function audited({ name, role, status, ...limits }: UserChange) {
  return { name, role, status, ...auditedLimits(limits) }
}

export async function findUser(db: Db, itcode: string): Promise<User | undefined> {
  const [user] = await findByName(db, [accountName(itcode)])
  return user
}

export function listUsers(db: Db): Promise<User[]> {
  return db.select().from(users).orderBy(asc(users.id))
}
