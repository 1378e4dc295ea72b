/** Changes that a sentence of their own says best. */
import type { AuditEvent } from '../../../../functions/audit.ts'
import type { AuditWords } from './words.ts'

interface Chosen {
  sentence: keyof AuditWords['special']
  /** The field of which {from} and {to} are the values. */
  field?: string
  /** What the sentence says already. */
  says: readonly string[]
}

/** undefined where the sentence of the action is best. */
export function specialOf({ action, target, before, after }: AuditEvent): Chosen | undefined {
  if (action === 'limit.set') return limitChange(before ?? {}, after ?? {})
  if (action === 'usage.export' && target === 'usage') return { sentence: 'usage.everybody', says: [] }
  const changed = Object.keys(after ?? {})
  const [field] = changed
  if (!before || !after || changed.length !== 1 || field === undefined) return undefined
  const value = after[field]
  if (field === 'budget_usd') return budgetChange(before[field], value)
  if (field === 'name') return { sentence: 'renamed', field, says: [field] }
  if (action === 'user.update' && field === 'status') {
    return { sentence: value === 'active' ? 'user.enabled' : 'user.disabled', says: [field] }
  }
  if (action === 'user.update' && field === 'role') return { sentence: 'user.role', field, says: [field] }
  if (action === 'backend.update' && field === 'enabled') {
    return { sentence: value === true ? 'backend.on' : 'backend.off', says: [field] }
  }
  if (action === 'backend.update' && field === 'weight') {
    return { sentence: 'backend.weight', field, says: [field] }
  }
  return undefined
}

type Side = Readonly<Record<string, unknown>>

function limitChange(before: Side, after: Side): Chosen | undefined {
  const field = 'amount_usd'
  const says = ['is_set', field]
  if (typeof after.temporary_usd === 'number' || 'temporary_until' in after) {
    if (field in after || 'is_set' in after) return undefined
    const isOver = after.temporary_usd === null
    const said = ['temporary_usd', 'temporary_until']
    // One of both may be what it was.
    if (!isOver && !('temporary_usd' in after && 'temporary_until' in after)) return undefined
    return { sentence: isOver ? 'amount.temporary_over' : 'amount.temporary', says: said }
  }
  if (after.is_set === false) return { sentence: 'amount.unset', field, says }
  const [from, to] = [before[field], after[field]]
  if (typeof to !== 'number') return { sentence: 'amount.lifted', field, says }
  if (typeof from !== 'number') return { sentence: 'amount.set', field, says }
  return { sentence: to > from ? 'amount.raised' : 'amount.lowered', field, says }
}

/** 0 is no limit. */
function budgetChange(from: unknown, to: unknown): Chosen | undefined {
  const field = 'budget_usd'
  if (typeof from !== 'number' || typeof to !== 'number') return undefined
  if (to === 0) return { sentence: 'budget.unset', field, says: [field] }
  if (from === 0) return { sentence: 'budget.set', field, says: [field] }
  return { sentence: to > from ? 'budget.raised' : 'budget.lowered', field, says: [field] }
}
