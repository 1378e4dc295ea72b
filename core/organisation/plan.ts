/** What has to change so that an organisation is as a file wants it. Pure; core/organisation/apply.ts does it. */
import type { User } from '../auth/account.ts'
import type { SpendLimit } from '../limits/spend-limit.ts'
import type { Period } from '../settings.ts'
import { microsOf } from '../units.ts'
import type { Group, GroupChange } from './groups.ts'
import type { Member } from './members.ts'
import type { ModelLists } from './models.ts'
import type { Wanted, WantedGroup, WantedLimits, WantedPerson } from './wanted.ts'

/** The organisation as it is. Names are those of the file: account names and names of groups. */
export interface Present {
  users: readonly User[]
  groups: readonly (Group & { members: readonly Pick<Member, 'itcode' | 'role'>[]; models: ModelLists })[]
  limits: readonly SpendLimit[]
}

/** Whose limit: a user or group by name, or the organisation. */
export type LimitOf = { scope: SpendLimit['scope']; of: string }

export type Step =
  | { do: 'user.create'; itcode: string; set: PersonSet }
  | { do: 'user.update'; itcode: string; set: PersonSet; was: PersonSet }
  | { do: 'group.create'; group: string; set: GroupSet }
  | { do: 'group.update'; group: string; set: GroupSet; was: GroupSet }
  | { do: 'group.models'; group: string; lists: ModelLists; was: ModelLists }
  | { do: 'member.set'; group: string; itcode: string; role: 'member' | 'lead'; was: string | undefined }
  | { do: 'member.remove'; group: string; itcode: string }
  | (LimitOf & { do: 'limit.set'; period: Period; amount: number | null; was: number | null | undefined })
  | (LimitOf & { do: 'limit.delete'; period: Period; was: number | null })

/** Groups by name in place of ids. */
export type GroupSet = Omit<GroupChange, 'name' | 'parentId'> & { parent?: string | null | undefined }
export type PersonSet = Partial<
  Pick<User, 'name' | 'role' | 'kind' | 'status' | 'quotaTokens' | Rate> & { billingGroup: string | null }
>
type Rate = 'requestsPerMinute' | 'tokensPerMinute' | 'concurrentRequests'

/** The steps in an order in which each can be done. */
export function planOf(present: Present, wanted: Wanted): Step[] {
  const groups = new Map(present.groups.map((group) => [group.name, group]))
  const nameOf = new Map(present.groups.map(({ id, name }) => [id, name]))
  const people = wanted.people.flatMap((person) => personStep(present, nameOf, person) ?? [])
  const services = people.filter(isNewService)
  const others = people.filter((step) => !isNewService(step))
  const wantedGroups = parentsFirst(wanted.groups)
  return [
    // Before groups, whose members they become; what they are booked to comes after those.
    ...others.map(withoutGroup).filter(isSomething),
    ...wantedGroups.flatMap((group) => groupSteps(groups.get(group.name), nameOf, group)),
    ...services,
    ...wantedGroups.flatMap((group) => memberSteps(groups.get(group.name), group)),
    ...others.map(onlyGroup).filter(isSomething),
    ...limitSteps(present, wanted),
  ]
}

function personStep(
  { users }: Present,
  groupNames: ReadonlyMap<number, string>,
  { itcode, limits: _, quota_tokens, billing_group, ...wanted }: WantedPerson,
): Extract<Step, { do: 'user.create' | 'user.update' }> | undefined {
  const user = users.find((one) => one.itcode === itcode)
  const set: PersonSet = given({
    name: wanted.name,
    role: wanted.role,
    kind: wanted.kind,
    status: wanted.status,
    quotaTokens: quota_tokens,
    ...ratesOf(wanted),
    billingGroup: billing_group,
  })
  if (!user) return { do: 'user.create', itcode, set }
  const booked = user.billingGroupId === null ? null : (groupNames.get(user.billingGroupId) ?? null)
  const change = changed<PersonSet>({ ...user, billingGroup: booked }, set)
  return change && { do: 'user.update', itcode, ...change }
}

type PersonStep = NonNullable<ReturnType<typeof personStep>>

/** A service account is made with the group that owns it. */
function isNewService(step: PersonStep): boolean {
  return step.do === 'user.create' && step.set.kind === 'service'
}

function withoutGroup(step: PersonStep): PersonStep {
  const { billingGroup: _, ...set } = step.set
  return { ...step, set }
}

function onlyGroup(step: PersonStep): PersonStep {
  const { billingGroup } = step.set
  const set: PersonSet = billingGroup === undefined ? {} : { billingGroup }
  const was: PersonSet = step.do === 'user.update' ? step.was : { billingGroup: null }
  return { do: 'user.update', itcode: step.itcode, set, was }
}

function isSomething(step: PersonStep): boolean {
  return step.do === 'user.create' || Object.keys(step.set).length > 0
}

function groupSteps(
  group: Present['groups'][number] | undefined,
  groupNames: ReadonlyMap<number, string>,
  wanted: WantedGroup,
): Step[] {
  const set: GroupSet = given({
    bills: wanted.bills,
    priority: wanted.priority,
    parent: wanted.parent,
    leadsAdd: wanted.leads_add,
    leadMaxMicros: wanted.lead_max_usd === undefined ? undefined : microsOf(wanted.lead_max_usd),
    ...ratesOf(wanted),
  })
  const steps: Step[] = []
  const above = group && group.parentId !== null ? (groupNames.get(group.parentId) ?? null) : null
  const change = group && changed<GroupSet>({ ...group, parent: above }, set)
  if (!group) steps.push({ do: 'group.create', group: wanted.name, set })
  else if (change) steps.push({ do: 'group.update', group: wanted.name, ...change })
  const was = group?.models ?? { allow: [], deny: [] }
  if (wanted.models && !sameLists(was, wanted.models)) {
    steps.push({ do: 'group.models', group: wanted.name, lists: wanted.models, was })
  }
  return steps
}

function memberSteps(group: Present['groups'][number] | undefined, wanted: WantedGroup): Step[] {
  const { leads, members } = wanted
  const present = new Map(group?.members.map(({ itcode, role }) => [itcode, role]))
  const roles = new Map<string, 'member' | 'lead'>()
  for (const itcode of members ?? []) roles.set(itcode, 'member')
  for (const itcode of leads ?? []) roles.set(itcode, 'lead')
  const isComplete = { member: members !== undefined, lead: leads !== undefined }
  const steps: Step[] = []
  for (const [itcode, role] of roles) {
    const was = present.get(itcode)
    // Who is named as a member alone stays a lead unless the file says who leads.
    if (was === role || (was === 'lead' && role === 'member' && !isComplete.lead)) continue
    steps.push({ do: 'member.set', group: wanted.name, itcode, role, was })
  }
  for (const [itcode, role] of present) {
    if (!roles.has(itcode) && isComplete[role])
      steps.push({ do: 'member.remove', group: wanted.name, itcode })
  }
  return steps
}

function limitSteps(present: Present, wanted: Wanted): Step[] {
  const ids = {
    user: new Map(present.users.map(({ id, itcode }) => [itcode, id])),
    group: new Map(present.groups.map(({ id, name }) => [name, id])),
  }
  const of = (scope: SpendLimit['scope'], name: string, limits: WantedLimits | undefined) => {
    if (!limits) return []
    const id = scope === 'user' ? ids.user.get(name) : scope.startsWith('group') ? ids.group.get(name) : 0
    const rows = present.limits.filter((row) => row.scope === scope && row.scopeId === id)
    return limitChanges({ scope, of: name }, rows, limits)
  }
  return [
    ...of('organisation_each', 'organisation', wanted.organisation?.each),
    ...of('organisation_pool', 'organisation', wanted.organisation?.pool),
    ...wanted.groups.flatMap(({ name, limits }) => [
      ...of('group_each', name, limits?.each),
      ...of('group_pool', name, limits?.pool),
    ]),
    ...wanted.people.flatMap(({ itcode, limits }) => of('user', itcode, limits)),
  ]
}

function limitChanges(whose: LimitOf, rows: readonly SpendLimit[], limits: WantedLimits): Step[] {
  const set = Object.entries(limits).flatMap(([name, amount]): Step[] => {
    const period = name as Period // a key of WantedLimits
    const row = rows.find((one) => one.period === period && one.isSet)
    if (amount === undefined || (row && row.amountMicros === amount)) return []
    return [{ do: 'limit.set', ...whose, period, amount, was: row?.amountMicros }]
  })
  const gone = rows.filter(({ period, isSet }) => isSet && limits[period] === undefined)
  return [
    ...set,
    ...gone.map(
      ({ period, amountMicros }): Step => ({ do: 'limit.delete', ...whose, period, was: amountMicros }),
    ),
  ]
}

/** Groups of the file so that each comes after the one above it. Those in a circle come last, and are refused when made. */
function parentsFirst(groups: readonly WantedGroup[]): WantedGroup[] {
  const ordered: WantedGroup[] = []
  let rest = [...groups]
  while (rest.length > 0) {
    const ready = rest.filter(({ parent }) => !rest.some(({ name }) => name === parent))
    if (ready.length === 0) return [...ordered, ...rest]
    ordered.push(...ready)
    rest = rest.filter((group) => !ready.includes(group))
  }
  return ordered
}

function ratesOf(
  wanted: Pick<WantedGroup, 'requests_per_minute' | 'tokens_per_minute' | 'concurrent_requests'>,
) {
  return {
    requestsPerMinute: wanted.requests_per_minute,
    tokensPerMinute: wanted.tokens_per_minute,
    concurrentRequests: wanted.concurrent_requests,
  }
}

/** Without the fields that are undefined. */
function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  // The cast holds because what is undefined is left out.
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}

/** The fields that differ, as they shall be and as they are; undefined if none does. */
function changed<T extends object>(present: T, set: T): { set: T; was: T } | undefined {
  const names = (Object.keys(set) as (keyof T)[]).filter((name) => present[name] !== set[name]) // keys of `set`
  if (names.length === 0) return undefined
  const pick = (from: T) => Object.fromEntries(names.map((name) => [name, from[name]])) as T // some of its own fields
  return { set: pick(set), was: pick(present) }
}

function sameLists(one: ModelLists, other: ModelLists): boolean {
  const text = ({ allow, deny }: ModelLists) => JSON.stringify([allow.toSorted(), deny.toSorted()])
  return text(one) === text(other)
}
