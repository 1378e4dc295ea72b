/** Which group a call is booked to. One rule, once for callers in memory and once as SQL. */
import { type SQL, sql } from 'drizzle-orm'
import { UNASSIGNED } from './groups.ts'

/** What is read of a group that is not deleted. */
export interface BillingGroup {
  id: number
  bills: boolean
  priority: number
  parentId: number | null
}

/** Groups by their id; those that are deleted are missing. */
type Groups = Pick<ReadonlyMap<number, BillingGroup>, 'get'>

/**
 * The group that a caller's calls are booked to, then its parents: the key's, while its owner is in it; else the one that an
 * admin chose for the person; else that of their department; else, of their billing groups, the one of the lowest priority, then of the lowest id; else the
 * built-in one.
 */
export function billingGroupIds(
  groups: Groups,
  owner: {
    billingGroupId: number | null
    directoryGroupId: number | null
    groupIds: readonly number[]
  },
  keysGroupId: number | null,
): readonly [number, ...number[]] {
  const billing = (id: number | null) => {
    const group = id === null ? undefined : groups.get(id)
    return group?.bills ? group : undefined
  }
  const ofKey =
    keysGroupId !== null && owner.groupIds.includes(keysGroupId) ? billing(keysGroupId) : undefined
  const booked =
    ofKey ??
    billing(owner.billingGroupId) ??
    billing(owner.directoryGroupId) ??
    firstOf(owner.groupIds.map(billing))
  return booked ? [booked.id, ...parentsOf(groups, booked)] : [UNASSIGNED]
}

function firstOf(all: readonly (BillingGroup | undefined)[]): BillingGroup | undefined {
  let first: BillingGroup | undefined
  for (const group of all) {
    if (!group) continue
    const isBefore = !first || group.priority < first.priority
    if (isBefore || (group.priority === first?.priority && group.id < first.id)) first = group
  }
  return first
}

function parentsOf(groups: Groups, { id, parentId }: BillingGroup): number[] {
  const seen = new Set([id])
  for (let next = parentId; next !== null && !seen.has(next); ) {
    const parent = groups.get(next)
    if (!parent) break
    seen.add(next)
    next = parent.parentId
  }
  seen.delete(id)
  return [...seen]
}

/** The same without a key: the billing group of the user that this SQL names. */
export function billingGroupOf(userId: SQL): SQL<number> {
  return sql<number>`coalesce(
    (select chosen.id from users as booked join groups as chosen on chosen.id = booked.billing_group_id
      where booked.id = ${userId} and chosen.bills and chosen.deleted_at is null),
    (select department.id from users as booked join groups as department on department.id = booked.directory_group_id
      where booked.id = ${userId} and department.bills and department.deleted_at is null),
    (select joined.id from group_members as membership join groups as joined on joined.id = membership.group_id
      where membership.user_id = ${userId} and joined.bills and joined.deleted_at is null
      order by joined.priority, joined.id limit 1),
    ${UNASSIGNED})`
}
