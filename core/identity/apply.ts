/** Makes role, groups, department and address of a person what their provider says. */
import { and, eq, isNull, sql } from 'drizzle-orm'
import { auditIfChanged, SYSTEM } from '../audit/record.ts'
import { groupMembers, groups, scimUsers, users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import type { Db } from '../ports.ts'
import { addressOf, changeAddress, mailTo } from '../users/address.ts'
import { isNotLastAdmin } from '../users/last-admin.ts'
import { groupsIn, roleIn, textAt, trustedAddress } from './claims.ts'
import type { ClaimRules, Claims, LoginProvider } from './provider.ts'

type Parts = Pick<Deps, 'db' | 'clock' | 'logger' | 'settings' | 'logins'>

/**
 * Groups that the provider does not tell stay as they are; so does everything of somebody whom SCIM keeps. Of several providers
 * that tell groups, or a department, the one counts whose identity was joined last, because each of them is asked every hour and people would else
 * be in the groups of another one by turns. Call `keyCache.changed()` afterwards where the change has to hold at once.
 */
export async function applyClaims(
  parts: Parts,
  userId: number,
  { issuer, rules }: Pick<LoginProvider, 'issuer' | 'rules'>,
  claims: Claims,
): Promise<void> {
  const { db, logger } = parts
  if (await isKeptByScim(db, userId)) return
  const known = groupsIn(claims, rules)
  const counts = (tells: (rival: ClaimRules) => boolean) => isLast(parts, userId, issuer, tells)
  if (known) {
    if (await counts(({ groupsClaim }) => groupsClaim !== ''))
      await applyRole(parts, userId, (current) => roleIn(known, rules, current))
    if (await counts(({ groupsClaim, source }) => groupsClaim !== '' && source === rules.source))
      await applyGroups(parts, userId, {
        source: rules.source,
        externalIds: known.map((group) => `${rules.groupsPrefix}${group}`),
      })
  } else if (rules.groupsClaim !== '') {
    logger.warn('identity.groups_unknown', { issuer, user: userId, claim: rules.groupsClaim })
  }
  const department = rules.departmentClaim === '' ? undefined : textAt(claims, rules.departmentClaim)
  if (department !== undefined && (await counts(({ departmentClaim }) => departmentClaim !== '')))
    await applyDepartment(parts, userId, department)
  await applyAddress(parts, userId, trustedAddress(claims, rules, issuer))
}

/** Whether the person joined no other provider after this one that `tells` the same. */
async function isLast(
  { db, logins }: Pick<Parts, 'db' | 'logins'>,
  userId: number,
  issuer: string,
  tells: (rival: ClaimRules) => boolean,
): Promise<boolean> {
  const rivals = logins.filter((one) => one.issuer !== issuer && tells(one.rules))
  if (rivals.length === 0) return true
  const later = await db.all(sql`select 1 from identities as rival where rival.user_id = ${userId}
    and rival.issuer in (select value from json_each(${JSON.stringify(rivals.map((one) => one.issuer))}))
    and rival.id > (select max(id) from identities where user_id = ${userId} and issuer = ${issuer})`)
  return later.length === 0
}

/** Whether SCIM makes, changes and ends the account. */
export async function isKeptByScim(db: Db, userId: number): Promise<boolean> {
  const found = await db.select({ id: scimUsers.userId }).from(scimUsers).where(eq(scimUsers.userId, userId))
  return found.length > 0
}

type Role = (typeof users.$inferSelect)['role']

/** The last active administrator stays one. */
async function applyRole({ db, clock }: Parts, userId: number, roleOf: (current: Role) => Role) {
  const [before] = await db.select({ role: users.role }).from(users).where(eq(users.id, userId))
  const role = before && roleOf(before.role)
  if (!before || !role || role === before.role) return
  const now = clock.now()
  await db.batch([
    db
      .update(users)
      .set({ role, updatedAt: now })
      .where(
        and(
          eq(users.id, userId),
          eq(users.role, before.role),
          eq(users.kind, 'person'),
          role === 'admin' ? undefined : isNotLastAdmin(userId),
        ),
      ),
    auditIfChanged(db, {
      actor: SYSTEM,
      at: now,
      action: 'user.update',
      target: `user:${userId}`,
      before: { role: before.role },
      after: { role },
    }),
  ])
}

/** Membership of groups of this source, found by their external ids, and of no others of it. */
async function applyGroups(
  { db, clock }: Parts,
  userId: number,
  { source, externalIds }: { source: 'oidc' | 'ldap'; externalIds: readonly string[] },
): Promise<void> {
  const now = clock.now()
  const theirs = await db
    .select({ id: groups.id, externalId: groups.externalId })
    .from(groups)
    .where(and(eq(groups.source, source), isNull(groups.deletedAt)))
  const wanted = new Set(externalIds)
  const rows = await db
    .select({ groupId: groupMembers.groupId, role: groupMembers.role })
    .from(groupMembers)
    .where(eq(groupMembers.userId, userId))
  const isIn = new Map(rows.map(({ groupId, role }) => [groupId, role]))
  const shouldBe = theirs.filter(({ externalId }) => externalId !== null && wanted.has(externalId))
  const stays = new Set(shouldBe.map(({ id }) => id))
  const event = { actor: SYSTEM, at: now }
  for (const { id } of shouldBe) {
    if (isIn.has(id)) continue
    await db.batch([
      db
        .insert(groupMembers)
        .values({ groupId: id, userId, role: 'member', createdAt: now })
        .onConflictDoNothing(),
      auditIfChanged(db, {
        ...event,
        action: 'group.member_add',
        target: `group:${id}`,
        after: { user_id: userId, group_role: 'member' },
      }),
    ])
  }
  for (const { id } of theirs) {
    const role = isIn.get(id)
    if (role === undefined || stays.has(id)) continue
    await db.batch([
      db.delete(groupMembers).where(and(eq(groupMembers.groupId, id), eq(groupMembers.userId, userId))),
      auditIfChanged(db, {
        ...event,
        action: 'group.member_remove',
        target: `group:${id}`,
        before: { user_id: userId, group_role: role },
      }),
    ])
  }
}

/** The billing group with the name of their department; an unknown one changes nothing. */
async function applyDepartment({ db, clock }: Parts, userId: number, name: string) {
  const [group] = await db
    .select({ id: groups.id })
    .from(groups)
    .where(and(eq(groups.name, name), eq(groups.bills, true), isNull(groups.deletedAt)))
  if (!group) return
  const [before] = await db.select({ id: users.directoryGroupId }).from(users).where(eq(users.id, userId))
  if (!before || before.id === group.id) return
  const now = clock.now()
  await db.batch([
    db.update(users).set({ directoryGroupId: group.id, updatedAt: now }).where(eq(users.id, userId)),
    auditIfChanged(db, {
      actor: SYSTEM,
      at: now,
      action: 'user.directory',
      target: `user:${userId}`,
      before: { directory_group_id: before.id },
      after: { directory_group_id: group.id },
    }),
  ])
}

/** Their address, if nobody else has it. */
async function applyAddress(parts: Parts, userId: number, address: string | undefined) {
  if (address === undefined) return
  const { db, clock, settings } = parts
  const [before] = await db
    .select({ email: users.email, itcode: users.itcode })
    .from(users)
    .where(eq(users.id, userId))
  if (!before || mailTo(before, settings.auth) === address) return
  try {
    await changeAddress({ db, clock, actor: SYSTEM, auth: settings.auth }, userId, {
      email: addressOf(address),
      confirmed: false,
    })
  } catch (thrown) {
    // It is no address here, or somebody else has it.
    if (!(thrown instanceof Refusal)) throw thrown
  }
}
