/** What a PATCH or PUT wants of a group, without its members being read: it may have thousands. */
import { Refusal } from '../errors.ts'
import { isRecord } from '../json/is-record.ts'
import { keptValue, textIn } from './document.ts'
import { equals } from './filter.ts'
import type { Operation } from './operations.ts'

export interface GroupChange {
  displayName?: string | undefined
  /** null removes it. */
  externalId?: string | null | undefined
  /** All members there shall be; undefined = as they are. Then `add` and `remove` are applied. */
  only?: Set<string> | undefined
  add: Set<string>
  remove: Set<string>
}

/** Throws a Refusal: invalid_input; filter_invalid for a filter of members that names none by value. */
export function groupChangeOf(operations: readonly Operation[]): GroupChange {
  const change: GroupChange = { add: new Set(), remove: new Set() }
  for (const operation of operations) {
    const { does, target, value } = operation
    const [name] = target.path
    if (name === 'members') changeMembers(change, operation)
    else if (name === 'displayName')
      change.displayName = does === 'remove' ? '' : (textIn({ value }, 'value') ?? '')
    else if (name === 'externalId') {
      change.externalId = does === 'remove' ? null : (textIn({ value: keptValue(value) }, 'value') ?? null)
    }
  }
  return change
}

/** The same of a whole group, as PUT and POST send it. */
export function wholeGroup(body: Readonly<Record<string, unknown>>): GroupChange & { displayName: string } {
  return {
    displayName: textIn(body, 'displayName') ?? '',
    externalId: textIn(body, 'externalId') ?? null,
    only: new Set(memberIds(body.members)),
    add: new Set(),
    remove: new Set(),
  }
}

function changeMembers(change: GroupChange, { does, target, value }: Operation) {
  const named = target.filter ? namedIn(target.filter) : memberIds(value)
  if (does === 'replace' && !target.filter) {
    change.only = new Set(named)
    change.add.clear()
    change.remove.clear()
    return
  }
  const isAll = does === 'remove' && !target.filter && (value === undefined || value === null)
  if (isAll) {
    change.only = new Set()
    change.add.clear()
    return
  }
  const [to, from] = does === 'remove' ? [change.remove, change.add] : [change.add, change.remove]
  for (const id of named) {
    to.add(id)
    from.delete(id)
  }
}

function namedIn(filter: NonNullable<Operation['target']['filter']>): string[] {
  const named = equals(filter, 'value')
  if (named) return named
  throw new Refusal('filter_invalid', 'Members are named by members[value eq "id"].')
}

function memberIds(given: unknown): string[] {
  const all = given === undefined || given === null ? [] : [given].flat()
  return all.map((member) => {
    const id = isRecord(member) ? member.value : member
    if (typeof id !== 'string')
      throw new Refusal('invalid_input', 'members: a list of {"value": "id"} is expected.')
    return id
  })
}
