/** Applies the operations of a PATCH to a resource, in memory. */
import { Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { type Document, keptValue, truth } from './document.ts'
import { type Filter, matches } from './filter.ts'
import type { Operation, Target } from './operations.ts'

type Attributes = Readonly<Record<string, unknown>>

/** Throws a Refusal: no_target where a filter meets nothing that could be made; invalid_input. */
export function patched(document: Document, operations: readonly Operation[]): Document {
  return operations.reduce<Attributes>((now, { does, target, value }) => {
    const isTruth = target.path.at(-1) === 'active' && target.path.length === 1
    // No value is the same as none of the attribute.
    if (does === 'remove' || value === null || value === undefined)
      return at(now, target.path, removing(target, value))
    const given = isTruth ? truth('active', value) : keptValue(value)
    return at(now, target.path, setting(does, target, given))
  }, document)
}

/** The resource with what stands at the path replaced by what `change` makes of it; undefined removes it. */
function at(
  from: Attributes,
  [name = '', ...rest]: readonly string[],
  change: (old: unknown) => unknown,
): Attributes {
  const old = Object.hasOwn(from, name) ? from[name] : undefined
  const inner = isRecord(old) ? old : {}
  const made = rest.length === 0 ? change(old) : at(inner, rest, change)
  const { [name]: _, ...others } = from
  const isNothing = made === undefined || (isRecord(made) && Object.keys(made).length === 0)
  return isNothing ? others : { ...others, [name]: made }
}

function removing({ filter, sub }: Target, value: unknown): (old: unknown) => unknown {
  return (old) => {
    if (!filter) {
      // Some directories name the values to remove here instead of in the path.
      const named = Array.isArray(old) && Array.isArray(value) ? value : undefined
      return named && Array.isArray(old)
        ? some(old.filter((each) => !named.some((one) => isSame(each, one))))
        : undefined
    }
    const all = listOf(old)
    if (sub === undefined) return some(all.filter((each) => !matches(filter, each)))
    return some(
      all.map((each) => (isRecord(each) && matches(filter, each) ? at(each, [sub], () => undefined) : each)),
    )
  }
}

function setting(
  does: 'add' | 'replace',
  { filter, sub }: Target,
  value: unknown,
): (old: unknown) => unknown {
  return (old) => {
    if (filter) return settingSome(does, listOf(old), { filter, sub }, value)
    if (does === 'add' && (Array.isArray(old) || Array.isArray(value)))
      return added(listOf(old), listOf(value))
    return isRecord(old) && isRecord(value) ? { ...old, ...value } : value
  }
}

/** Changes the values that meet the filter. Where none does, the one that it describes is made. */
function settingSome(
  does: 'add' | 'replace',
  all: readonly unknown[],
  { filter, sub }: { filter: Filter; sub: string | undefined },
  value: unknown,
): unknown[] {
  const changed = (old: Attributes) => {
    if (sub !== undefined) return { ...old, [sub]: value }
    if (!isRecord(value)) throw new Refusal('invalid_input', 'value: an object is expected here.')
    return does === 'add' ? { ...old, ...value } : value
  }
  const isMet = (each: unknown): each is Attributes => isRecord(each) && matches(filter, each)
  if (all.some(isMet)) return all.map((each) => (isMet(each) ? changed(each) : each))
  const described = describedBy(filter)
  if (!described) throw new Refusal('no_target', 'Nothing meets the filter of the path.')
  return [...all, changed(described)]
}

/** What a filter of `eq` and `and` alone describes. */
function describedBy(filter: Filter): Attributes | undefined {
  if (filter.is === 'and') {
    const parts = filter.all.map(describedBy)
    return parts.every((part) => part !== undefined) ? Object.assign({}, ...parts) : undefined
  }
  const isEqual = filter.is === 'compare' && filter.operator === 'eq' && filter.path.length === 1
  return isEqual ? { [filter.path[0] ?? '']: filter.value } : undefined
}

/** Values that are there already are not added again; of several primary ones the new one is. */
function added(old: readonly unknown[], more: readonly unknown[]): unknown[] {
  const fresh = more.filter((one) => !old.some((each) => JSON.stringify(each) === JSON.stringify(one)))
  const isPrimary = (value: unknown) => isRecord(value) && value.primary === true
  const later = (each: unknown) => (isRecord(each) && isPrimary(each) ? { ...each, primary: false } : each)
  return [...(fresh.some(isPrimary) ? old.map(later) : old), ...fresh]
}

/** Two values of one attribute, by their `value` if they have one. */
function isSame(one: unknown, other: unknown): boolean {
  const [a, b] = [one, other].map((value) =>
    isRecord(value) && value.value !== undefined ? value.value : value,
  )
  return JSON.stringify(a) === JSON.stringify(b)
}

function listOf(value: unknown): unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}

function some(list: unknown[]): unknown[] | undefined {
  return list.length === 0 ? undefined : list
}
