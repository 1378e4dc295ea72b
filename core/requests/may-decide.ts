/** Who decides what people ask for: admins everything, leads what people ask whose billing group is theirs. */
import { type SQL, sql } from 'drizzle-orm'
import { type Grant, hasHigherLimit } from '../limits/person-limit.ts'
import { billingGroupOf } from '../organisation/billing-group.ts'
import { leads } from '../organisation/members.ts'

/**
 * Whether the reviewer may decide what the user that `ownerId` names asks for. Nobody decides their own, but the only admin. Leads
 * decide nothing of admins. null is the command line, which may decide everything. SQL names the reviewer in a query.
 */
export function mayDecide(reviewerId: number | SQL | null, ownerId: SQL): SQL {
  if (reviewerId === null) return sql`true`
  return sql`(${isDecidingAdmin(reviewerId, ownerId)} or ${leadsOwner(reviewerId, ownerId)})`
}

/** The same where an amount is granted: leads give up to what their group allows them, and nobody less than there is by then. */
export function mayGrant(
  reviewerId: number | null,
  ownerId: SQL,
  { mayLower, ...grant }: Grant & { mayLower: boolean },
): SQL {
  const raises = mayLower ? sql`true` : sql`not ${hasHigherLimit(ownerId, grant)}`
  return sql`(${mayGive(reviewerId, ownerId, grant.micros)} and ${raises})`
}

function mayGive(reviewerId: number | null, ownerId: SQL, micros: number): SQL {
  if (reviewerId === null) return sql`true`
  const most = sql`(select lead_max_micros from groups where id = ${billingGroupOf(ownerId)})`
  return sql`(${isDecidingAdmin(reviewerId, ownerId)}
    or (${leadsOwner(reviewerId, ownerId)} and ${micros} <= ${most}))`
}

function isDecidingAdmin(reviewerId: number | SQL, ownerId: SQL): SQL {
  return sql`(exists (select 1 from users as decider
      where decider.id = ${reviewerId} and decider.role = 'admin' and decider.status = 'active')
    and (${ownerId} <> ${reviewerId} or not exists (select 1 from users as other_admin
      where other_admin.role = 'admin' and other_admin.status = 'active' and other_admin.id <> ${reviewerId})))`
}

function leadsOwner(reviewerId: number | SQL, ownerId: SQL): SQL {
  return sql`(${ownerId} <> ${reviewerId}
    and exists (select 1 from users as asker where asker.id = ${ownerId} and asker.role <> 'admin')
    and ${leads(sql`${reviewerId}`, billingGroupOf(ownerId))})`
}
