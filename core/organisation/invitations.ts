/** Invitations: links, or addresses, that may make an account with a role, groups and a limit. */
import { and, desc, eq, gt, isNull, lt, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged, auditRow, auditRowsOf } from '../audit/record.ts'
import type { User } from '../auth/account.ts'
import { invitations, invitationUses } from '../db/schema.ts'
import { invalidField, nothingHere } from '../errors.ts'
import { randomText } from '../ids.ts'
import { ALPHABET, type Sha256 } from '../keys/mint.ts'
import type { Clock, Db } from '../ports.ts'
import { problem } from '../problems.ts'
import type { Period } from '../settings.ts'
import { storable } from '../text.ts'
import { timeText, usdOf } from '../units.ts'

export type Invitation = typeof invitations.$inferSelect
export type InvitationStatus = 'pending' | 'accepted' | 'expired' | 'revoked'
export const INVITATION_STATUSES = ['pending', 'accepted', 'expired', 'revoked'] as const

export interface NewInvitation {
  /** Only this address may use it, which then needs no link, because a code mailed there proves it. null = who has the link. */
  email: string | null
  name: string | null
  role: User['role']
  groupIds: readonly number[]
  limit: { micros: number; period: Period } | null
  /** How many accounts it may make. */
  mostUses: number
  /** ms since 1970 */
  expiresAt: number
}

const SECRET_LENGTH = 40
/** Of a statement that inserts; D1 takes a hundred values in one. */
const ROWS_AT_ONCE = 6

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
}

/** Throws a Refusal invalid_input where not all of these are groups whose members are kept here: nobody could be put into them. */
async function assertKeptHere(db: Db, wanted: readonly NewInvitation[]): Promise<void> {
  const ids = JSON.stringify([...new Set(wanted.flatMap(({ groupIds }) => groupIds))])
  const others =
    await db.all(sql`select 1 from json_each(${ids}) as named where not exists (select 1 from groups
    where groups.id = named.value and groups.source = 'direct' and groups.deleted_at is null and groups.id <> 0)`)
  if (others.length > 0) throw invalidField('group_ids', problem('kept_groups'))
}

/**
 * Makes invitations, all or none. The secrets of their links are in the result only. Throws a Refusal invalid_input for rights
 * that would go to whoever has a link, and for groups that take nobody here.
 */
export async function createInvitations(
  { db, clock, actor, sha256 }: Parts & { sha256: Sha256 },
  asked: readonly NewInvitation[],
): Promise<{ invitation: Invitation; secret: string }[]> {
  const wanted = asked.map((one) => ({ ...one, groupIds: [...new Set(one.groupIds)] }))
  await assertKeptHere(db, wanted)
  const now = clock.now()
  const made = wanted.map((one) => {
    if (one.role !== 'user' && (one.email === null || one.mostUses > 1)) {
      throw invalidField('role', problem('invited_role'))
    }
    const secret = randomText(SECRET_LENGTH, ALPHABET)
    return { secret, row: { ...rowOf(one), hash: sha256(secret), createdBy: actor.id, createdAt: now } }
  })
  const inserts = []
  for (let from = 0; from < made.length; from += ROWS_AT_ONCE) {
    const rows = made.slice(from, from + ROWS_AT_ONCE).map(({ row }) => row)
    inserts.push(db.insert(invitations).values(rows).returning())
  }
  const audits = wanted.map((one) => auditRow(db, creation(one, { actor, at: now })))
  const [first, ...rest] = inserts
  if (!first) return []
  const results = await db.batch([first, ...rest, ...audits])
  const rows = results.slice(0, inserts.length).flat() as Invitation[] // what the inserts return
  const secrets = new Map(made.map(({ row, secret }) => [row.hash, secret]))
  return rows.map((invitation) => ({ invitation, secret: secrets.get(invitation.hash) ?? '' }))
}

function rowOf({ email, name, role, groupIds, limit, mostUses, expiresAt }: NewInvitation) {
  return {
    email,
    name: name && storable(name),
    role,
    groupIds: JSON.stringify(groupIds),
    mostUses,
    expiresAt,
    limitMicros: limit?.micros ?? null,
    limitPeriod: limit?.period ?? null,
  }
}

function creation(
  { email, role, groupIds, limit, mostUses, expiresAt }: NewInvitation,
  occasion: { actor: Actor; at: number },
) {
  return {
    ...occasion,
    action: 'invitation.create' as const,
    target: `invitation:${email ?? 'link'}`,
    after: {
      email,
      role,
      group_ids: groupIds,
      count: mostUses,
      expires_at: timeText(expiresAt),
      ...(limit && { amount_usd: usdOf(limit.micros), period: limit.period }),
    },
  }
}

/** Newest first. */
export async function listInvitations(
  { db, clock }: Pick<Parts, 'db' | 'clock'>,
  { page, pageSize, status }: { page: number; pageSize: number; status?: InvitationStatus | undefined },
): Promise<{ invitations: Invitation[]; total: number }> {
  const where = status && sql`${statusSql(clock.now())} = ${status}`
  const rows = await db
    .select()
    .from(invitations)
    .where(where)
    .orderBy(desc(invitations.id))
    .limit(pageSize)
    .offset((page - 1) * pageSize)
  return { invitations: rows, total: await db.$count(invitations, where) }
}

/** Throws a Refusal not_found. */
export async function invitationOf(db: Db, id: number): Promise<Invitation> {
  const [found] = await db.select().from(invitations).where(eq(invitations.id, id))
  if (!found) throw nothingHere()
  return found
}

/** Takes an invitation back. Throws a Refusal not_found where nobody can use it any more. */
export async function revokeInvitation({ db, clock, actor }: Parts, id: number): Promise<void> {
  const at = clock.now()
  const [gone] = await db.batch([
    db
      .update(invitations)
      .set({ revokedAt: at })
      .where(and(eq(invitations.id, id), isOpen(at)))
      .returning({ id: invitations.id }),
    auditIfChanged(db, { actor, at, action: 'invitation.revoke', target: `invitation:${id}` }),
  ])
  if (gone.length === 0) throw nothingHere()
}

export function statusOf(invitation: Invitation, now: number): InvitationStatus {
  if (invitation.revokedAt !== null) return 'revoked'
  if (invitation.uses >= invitation.mostUses) return 'accepted'
  return invitation.expiresAt <= now ? 'expired' : 'pending'
}

/** The same, of a row of invitations. */
export function statusSql(now: number) {
  return sql`case when revoked_at is not null then 'revoked' when uses >= most_uses then 'accepted'
    when expires_at <= ${now} then 'expired' else 'pending' end`
}

function isOpen(now: number) {
  const hasRoom = lt(invitations.uses, invitations.mostUses)
  return and(isNull(invitations.revokedAt), gt(invitations.expiresAt, now), hasRoom)
}

/** The open invitation of a link's secret. */
export async function invitationOfLink(
  { db, clock, sha256 }: { db: Db; clock: Clock; sha256: Sha256 },
  secret: string,
): Promise<Invitation | undefined> {
  const isIt = and(eq(invitations.hash, sha256(secret)), isOpen(clock.now()))
  const [found] = await db.select().from(invitations).where(isIt)
  return found
}

/** The newest open invitation of an address that is proved to be theirs. */
export async function invitationOfAddress(
  { db, clock }: Pick<Parts, 'db' | 'clock'>,
  email: string,
): Promise<Invitation | undefined> {
  const isIt = and(eq(invitations.email, email), isOpen(clock.now()))
  const [found] = await db.select().from(invitations).where(isIt).orderBy(desc(invitations.id)).limit(1)
  return found
}

/**
 * For the batch that makes an account, right after its audit row: counts the use and gives what the invitation gives, groups with
 * an audit row for each. The table's check fails the whole batch where the invitation was used up in the meantime.
 */
export function acceptingInvitation(
  db: Db,
  { id }: Pick<Invitation, 'id'>,
  { itcode, actor, now }: { itcode: string; actor: Actor; now: number },
) {
  const accepted = sql`select users.id from users join invitation_uses on user_id = users.id
    where itcode = ${itcode} and invitation_id = ${id}`
  return [
    db.run(sql`update invitations set uses = uses + 1 where id = ${id} and changes() > 0`),
    db.run(sql`insert into ${invitationUses} (invitation_id, user_id, used_at)
      select ${id}, id, ${now} from users where itcode = ${itcode} and changes() > 0`),
    db.run(sql`insert into group_members (group_id, user_id, role, created_at)
      select groups.id, (${accepted}), 'member', ${now} from invitations, json_each(group_ids) as wanted
        join groups on groups.id = wanted.value
      where invitations.id = ${id} and groups.deleted_at is null and source = 'direct' and exists (${accepted})
      on conflict do nothing`),
    auditRowsOf(
      db,
      { actor, at: now, action: 'group.member_add' },
      sql`select 'group:' || group_id as target, json_object('user_id', user_id, 'group_role', role) as after
        from group_members where user_id = (${accepted})`,
    ),
  ]
}
