/** The policies of one person, by their groups and address. */
import { and, eq, isNull } from 'drizzle-orm'
import { groupMembers, users } from '../db/schema.ts'
import { nothingHere } from '../errors.ts'
import type { Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { mailTo } from '../users/address.ts'
import { listPolicies } from './manage.ts'
import { type Matched, policyOf } from './match.ts'

/** Undefined where no policy matches. Throws a Refusal not_found. */
export async function policiesOfPerson(
  { db, settings }: { db: Db; settings: Pick<Settings, 'auth'> },
  userId: number,
): Promise<Matched | undefined> {
  const [user] = await db
    .select()
    .from(users)
    .where(and(eq(users.id, userId), isNull(users.deletedAt)))
  if (!user) throw nothingHere()
  const memberships = await db
    .select({ groupId: groupMembers.groupId })
    .from(groupMembers)
    .where(eq(groupMembers.userId, userId))
  const groupIds = memberships.map(({ groupId }) => groupId)
  return policyOf(await listPolicies(db), { groupIds, email: mailTo(user, settings.auth) })
}
