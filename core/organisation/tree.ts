/** Which group can be above which. */
import { type SQL, sql } from 'drizzle-orm'
import { invalidField, type Refusal } from '../errors.ts'
import { problem } from '../problems.ts'

/** A billing group, its parent and the parent's parent. */
const DEEPEST = 3

/** Groups right below it. */
export function childrenOf(id: number): SQL {
  return sql`select 1 from groups as child where child.parent_id = ${id} and child.deleted_at is null`
}

/** Whether a group may have this parent. It stands in the statement itself, so that two changes cannot make a circle together. */
export function mayStand(id: number, { bills, parentId }: { bills: boolean; parentId: number | null }): SQL {
  const asParent = bills ? sql`true` : sql`not exists (${childrenOf(id)})`
  if (parentId === null) return asParent
  const height = sql`(with recursive down(id, height) as (select ${id}, 1 union all
    select child.id, height + 1 from down join groups as child on child.parent_id = down.id
    where child.deleted_at is null and height <= ${DEEPEST})
    select max(height) from down)`
  return sql`(${asParent} and ${canHold(parentId, bills, height)} and ${id} not in (select id from (${chainOf(parentId)})))`
}

/** Whether a group can be the parent of one that has `height` levels, itself included. */
export function canHold(parentId: number, bills: boolean, height: SQL): SQL {
  if (!bills || parentId === 0) return sql`false`
  return sql`(exists (select 1 from groups as parent
      where parent.id = ${parentId} and parent.bills and parent.deleted_at is null)
    and (select count(*) from (${chainOf(parentId)})) + ${height} <= ${DEEPEST})`
}

/** The group and its parents. */
function chainOf(id: number): SQL {
  return sql`with recursive up(id, depth) as (select ${id}, 1 union all
    select above.parent_id, depth + 1 from up join groups as above on above.id = up.id
    where above.parent_id is not null and depth <= ${DEEPEST}) select id from up`
}

export function badParent(): Refusal {
  return invalidField('parent_id', problem('parent_group', { n: DEEPEST }))
}
