/** Routes for groups, which administrators change. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { invalidField } from '../core/errors.ts'
import {
  createGroup,
  deleteGroup,
  type Group,
  type GroupChange,
  groupOf,
  listGroups,
  type NewGroup,
  updateGroup,
} from '../core/organisation/groups.ts'
import { memberCounts } from '../core/organisation/members.ts'
import { groupModelsOf, setGroupModels } from '../core/organisation/models.ts'
import { timeText, usdOf } from '../core/units.ts'
import { amount, line, modelGlob, timestamp } from './fields.ts'
import { groupId, MemberView, membersOf } from './members.ts'
import { report, route } from './route.ts'
import { requestLimit, tokenRate } from './views.ts'

const rates = {
  requests_per_minute: requestLimit.nullable(),
  tokens_per_minute: tokenRate.nullable(),
  concurrent_requests: requestLimit.nullable(),
}
const GroupView = z
  .strictObject({
    id: z.int().meta({ description: '0 is the built-in group, for calls that belong to no other.' }),
    name: z.string(),
    source: z.enum(['direct', 'oidc', 'ldap', 'scim']).meta({ description: 'Where its members are kept.' }),
    external_id: z.string().nullable().meta({ description: 'Its id where they are kept.' }),
    bills: z.boolean().meta({ description: 'Whether calls can be booked to it.' }),
    priority: z
      .int()
      .meta({ description: 'Of several billing groups of a person the lowest one is booked to.' }),
    parent_id: z.int().nullable(),
    ...rates,
    lead_max_usd: z
      .number()
      .meta({ description: 'The highest spend limit that its leads may give a person.' }),
    leads_add: z.boolean(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Group' })
export type GroupView = z.infer<typeof GroupView>
const CountedGroup = GroupView.extend({ members: z.int(), leads: z.int() }).meta({ id: 'CountedGroup' })
export type CountedGroup = z.infer<typeof CountedGroup>
const models = z.array(modelGlob).max(200)
const Models = z.strictObject({ allow: models.optional(), deny: models.optional() }).meta({
  description: 'A list that is left out stays as it is.',
})
const ModelsView = z
  .strictObject({ allow: z.array(z.string()), deny: z.array(z.string()) })
  .meta({ id: 'GroupModels' })
const Described = z.strictObject({ group: GroupView, models: ModelsView, members: z.array(MemberView) })
const Done = z.strictObject({ message: z.string() })
const fields = {
  bills: z.boolean().optional(),
  priority: z.int().min(0).max(1_000_000).optional(),
  parent_id: z.int().min(1).nullish(),
  requests_per_minute: requestLimit.nullish(),
  tokens_per_minute: tokenRate.nullish(),
  concurrent_requests: requestLimit.nullish(),
  lead_max_usd: amount.optional(),
  leads_add: z.boolean().optional(),
}
const name = line(100)
const kept = {
  source: z
    .enum(['direct', 'oidc', 'ldap'])
    .default('direct')
    .meta({ description: 'oidc, ldap: the provider of sign-ins says who is in it. Others cannot be added.' }),
  external_id: line(256)
    .optional()
    .meta({ description: 'Its id there, as claims name it. Only of oidc and ldap, which need one.' }),
}

export const groups = [
  report({
    path: '/admin/api/groups',
    tier: 'billing',
    summary: 'All groups by name, with how many members and leads each has.',
    reply: z.strictObject({ groups: z.array(CountedGroup) }),
    async handle({ deps }) {
      const counts = await memberCounts(deps.db)
      const none = { members: 0, leads: 0 }
      const all = await listGroups(deps.db)
      return { groups: all.map((group) => ({ ...groupView(group), ...none, ...counts.get(group.id) })) }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/groups',
    tier: 'admin',
    summary: 'Makes a group.',
    errors: [409],
    body: z.strictObject({ name, ...kept, ...fields }),
    reply: z.strictObject({ group: GroupView }),
    status: 201,
    async handle({ deps, body, actor }) {
      const made = await createGroup(
        { ...deps, actor },
        {
          ...changeIn(body),
          name: body.name,
          kept: keptIn(body),
        },
      )
      return { group: groupView(made) }
    },
  }),
  report({
    path: '/admin/api/groups/:id',
    tier: 'billing',
    summary: 'One group, with its members and the models that it opens and closes for them.',
    reply: Described,
    handle: ({ deps, params }) => described(deps, params.id),
  }),
  route({
    method: 'PUT',
    path: '/admin/api/groups/:id',
    tier: 'admin',
    summary: 'Changes a group, for calls from the next one on.',
    errors: [409],
    body: z.strictObject({ name: name.optional(), ...fields }),
    reply: z.strictObject({ group: GroupView }),
    async handle({ deps, params, body, actor }) {
      const change = { ...changeIn(body), name: body.name }
      const changed = await updateGroup({ ...deps, actor }, groupId(params.id), change)
      await deps.keyCache.changed()
      return { group: groupView(changed) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/groups/:id',
    tier: 'admin',
    summary: 'Deletes a group with its limits. Its usage keeps its name.',
    errors: [409],
    reply: Done,
    async handle({ deps, params, actor }) {
      await deleteGroup({ ...deps, actor }, groupId(params.id))
      await deps.keyCache.changed()
      return { message: 'deleted' }
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/groups/:id/models',
    tier: 'admin',
    summary:
      'Sets the models that a group opens and closes for its members. What one group closes stays closed.',
    errors: [409],
    body: Models,
    reply: Described,
    async handle({ deps, params, body, actor }) {
      await setGroupModels({ ...deps, actor }, groupId(params.id), body)
      await deps.keyCache.changed()
      return described(deps, params.id)
    },
  }),
]

async function described({ db }: Pick<Deps, 'db'>, idText: string) {
  const id = groupId(idText)
  const [group, { allow, deny }, { members }] = await Promise.all([
    groupOf(db, id),
    groupModelsOf(db, id),
    membersOf({ db }, id),
  ])
  return { group: groupView(group), models: { allow: [...allow], deny: [...deny] }, members }
}

/** Throws a Refusal invalid_input where source and external_id do not fit. */
function keptIn({ source, external_id: externalId }: z.output<z.ZodObject<typeof kept>>): NewGroup['kept'] {
  if (source === 'direct' && externalId === undefined) return undefined
  if (source === 'direct' || externalId === undefined) {
    throw invalidField('external_id', 'it is expected with the sources oidc and ldap, and only there')
  }
  return { source, externalId }
}

function changeIn(body: z.output<z.ZodObject<typeof fields>>): GroupChange {
  return {
    bills: body.bills,
    priority: body.priority,
    parentId: body.parent_id,
    leadsAdd: body.leads_add,
    leadMaxMicros: body.lead_max_usd,
    requestsPerMinute: body.requests_per_minute,
    tokensPerMinute: body.tokens_per_minute,
    concurrentRequests: body.concurrent_requests,
  }
}

function groupView(group: Group): GroupView {
  const { id, name, source, externalId, bills, priority } = group
  return {
    id,
    name,
    source,
    external_id: externalId,
    bills,
    priority,
    parent_id: group.parentId,
    requests_per_minute: group.requestsPerMinute,
    tokens_per_minute: group.tokensPerMinute,
    concurrent_requests: group.concurrentRequests,
    lead_max_usd: usdOf(group.leadMaxMicros),
    leads_add: group.leadsAdd,
    created_at: timeText(group.createdAt),
    updated_at: timeText(group.updatedAt),
  }
}
