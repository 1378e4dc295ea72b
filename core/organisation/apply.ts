/** Brings groups, limits and people to what a file wants, step by step, each with its audit row. */
import type { Actor } from '../audit/record.ts'
import { groupMembers, groupModels } from '../db/schema.ts'
import { invalidField, Refusal } from '../errors.ts'
import { listSpendLimits, setSpendLimit } from '../limits/spend-limit.ts'
import type { Clock, Db } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { createUser, findUser, listUsers, updateUser } from '../users/manage.ts'
import { createGroup, findGroup, type Group, listGroups, updateGroup } from './groups.ts'
import { removeMember, setMember } from './members.ts'
import { setGroupModels } from './models.ts'
import type { GroupSet, PersonSet, Present, Step } from './plan.ts'
import type { Wanted } from './wanted.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
  settings: Settings
}

export async function readPresent(db: Db): Promise<Present> {
  const [people, groups, members, models, limits] = await Promise.all([
    listUsers(db),
    listGroups(db),
    db.select().from(groupMembers),
    db.select().from(groupModels),
    listSpendLimits(db),
  ])
  const itcodes = new Map(people.map(({ id, itcode }) => [id, itcode]))
  const membersOf = Map.groupBy(members, ({ groupId }) => groupId)
  const modelsOf = Map.groupBy(models, ({ groupId }) => groupId)
  return {
    users: people,
    limits,
    groups: groups.map((group) => ({
      ...group,
      members: (membersOf.get(group.id) ?? []).map(({ userId, role }) => ({
        itcode: itcodes.get(userId) ?? '',
        role,
      })),
      models: {
        allow: (modelsOf.get(group.id) ?? [])
          .filter(({ access }) => access === 'allow')
          .map(({ model }) => model),
        deny: (modelsOf.get(group.id) ?? [])
          .filter(({ access }) => access === 'deny')
          .map(({ model }) => model),
      },
    })),
  }
}

/** Throws a Refusal invalid_input that names whoever and whatever the file names, but nobody has. */
export function assertKnown(present: Present, { groups, people }: Wanted): void {
  const someone = new Set([...present.users, ...people].map(({ itcode }) => itcode))
  const something = new Set([...present.groups, ...groups].map(({ name }) => name))
  for (const [at, { name, parent, members = [], leads = [] }] of groups.entries()) {
    if (groups.findIndex((other) => other.name === name) !== at)
      throw invalidField(name, 'this group is named twice')
    const nobody = [...members, ...leads].find((itcode) => !someone.has(itcode))
    if (nobody !== undefined) throw invalidField(name, `there is no user ${nobody}`)
    if (parent != null && !something.has(parent)) throw invalidField(name, `there is no group ${parent}`)
  }
  for (const [at, { itcode, billing_group }] of people.entries()) {
    if (people.findIndex((other) => other.itcode === itcode) !== at)
      throw invalidField(itcode, 'this user is named twice')
    if (billing_group != null && !something.has(billing_group)) {
      throw invalidField(itcode, `there is no group ${billing_group}`)
    }
  }
}

/** Throws what the change throws: a Refusal that says why it cannot be made. */
export async function runStep(parts: Parts, step: Step): Promise<void> {
  const { db } = parts
  switch (step.do) {
    case 'user.create': {
      const {
        role = 'user',
        quotaTokens = parts.settings.limits.defaultQuotaTokens,
        status,
        ...set
      } = step.set
      const account = { itcode: step.itcode, role, quotaTokens, ...(await bookedTo(db, set)) }
      const { id } = await createUser(parts, account)
      if (status === 'disabled') await updateUser(parts, id, { status })
      return
    }
    case 'user.update': {
      const { kind, ...set } = step.set
      if (kind !== undefined)
        throw invalidField(step.itcode, 'a person does not become a service account, nor the other way')
      await updateUser(parts, await userId(db, step.itcode), await bookedTo(db, set))
      return
    }
    case 'group.create':
      await createGroup(parts, { name: step.group, ...(await below(db, step.set)) })
      return
    case 'group.update':
      await updateGroup(parts, (await groupNamed(db, step.group)).id, await below(db, step.set))
      return
    case 'group.models':
      return setGroupModels(parts, (await groupNamed(db, step.group)).id, step.lists)
    case 'member.set':
      return setMember(parts, (await groupNamed(db, step.group)).id, await userId(db, step.itcode), step.role)
    case 'member.remove':
      return removeMember(parts, (await groupNamed(db, step.group)).id, await userId(db, step.itcode))
    case 'limit.set': {
      const { scope, period, amount } = step
      await setSpendLimit(parts, { scope, scopeId: await idOf(db, step), period }, { amount })
      return
    }
    case 'limit.delete': {
      const { scope, period } = step
      // What is temporary stays until its time.
      await setSpendLimit(parts, { scope, scopeId: await idOf(db, step), period }, { amount: 'none' })
      return
    }
  }
}

async function below(db: Db, { parent, ...set }: GroupSet) {
  if (parent === undefined) return set
  return { ...set, parentId: parent === null ? null : (await groupNamed(db, parent)).id }
}

async function bookedTo(db: Db, { billingGroup, ...set }: PersonSet) {
  if (billingGroup === undefined) return set
  return { ...set, billingGroupId: billingGroup === null ? null : (await groupNamed(db, billingGroup)).id }
}

async function idOf(db: Db, { scope, of }: Extract<Step, { scope: string }>): Promise<number> {
  if (scope === 'user') return userId(db, of)
  return scope.startsWith('group') ? (await groupNamed(db, of)).id : 0
}

async function userId(db: Db, itcode: string): Promise<number> {
  const user = await findUser(db, itcode)
  if (!user) throw new Refusal('not_found', `There is no user ${itcode}.`)
  return user.id
}

async function groupNamed(db: Db, name: string): Promise<Group> {
  const group = await findGroup(db, name)
  if (!group) throw new Refusal('not_found', `There is no group ${name}.`)
  return group
}
