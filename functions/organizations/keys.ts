/** API keys. They are made by the people and on the dashboard, because a program must not hold everybody's secrets. */
import * as z from 'zod'
import type { Deps } from '../../core/deps.ts'
import { nothingHere, Refusal } from '../../core/errors.ts'
import { deleteKey, updateKey } from '../../core/keys/manage.ts'
import { type KeyStatus, keyPage, type PagedKey } from '../../core/organisation/pages.ts'
import { timeText } from '../../core/units.ts'
import { line, timestamp } from '../fields.ts'
import { report, route } from '../route.ts'
import {
  ADMIN,
  anyUser,
  byId,
  cursorOf,
  idIn,
  idList,
  idListOf,
  isCurrent,
  tagged,
  USAGE,
  userTag,
  workspaceTag,
} from './fields.ts'

const status = z.enum(['active', 'inactive', 'archived', 'expired'])
const holder = z.strictObject({ id: z.string(), type: z.enum(['user', 'service_account']) })
const KeyView = z
  .strictObject({
    id: z.string(),
    type: z.literal('api_key'),
    name: z.string(),
    status,
    partial_key_hint: z.string(),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    created_by: holder,
    principal: z
      .union([
        holder,
        z.strictObject({ type: z.literal('user_actor'), user_id: z.string() }),
        z.strictObject({ type: z.literal('service_account_actor'), service_account_id: z.string() }),
      ])
      .meta({ description: 'With an id in version 2023-06-01, an actor from 2026-10-21 on.' }),
    workspace_id: z
      .string()
      .nullable()
      .optional()
      .meta({ description: 'In version 2023-06-01: the billing group.' }),
    scope: z
      .strictObject({ type: z.enum(['organization', 'workspace']), workspace_id: z.string().optional() })
      .optional()
      .meta({ description: 'From version 2026-10-21 on.' }),
  })
  .meta({ id: 'OrganizationApiKey' })

const KEYS = '/v1/organizations/api_keys'

export const keys = [
  report({
    path: KEYS,
    ...USAGE,
    summary: 'API keys, also those that ended.',
    query: z.strictObject({
      ...byId('apikey'),
      status: status.optional(),
      workspace_id: tagged('wrkspc').optional(),
      created_by_user_id: anyUser.optional(),
    }),
    reply: idList(KeyView),
    async handle({ deps, query, headers }) {
      const { status, workspace_id: groupId, created_by_user_id: userId } = query
      const now = deps.clock.now()
      const page = await keyPage(deps.db, { status, groupId, userId }, now, cursorOf(query))
      return idListOf(
        page.rows.map((row) => viewOf(row, isCurrent(headers))),
        page,
      )
    },
  }),
  route({
    method: 'GET',
    path: `${KEYS}/:id`,
    ...USAGE,
    summary: 'One API key.',
    reply: KeyView,
    handle: async ({ deps, params, headers }) => viewOf(await keyOf(deps, params.id), isCurrent(headers)),
  }),
  route({
    method: 'POST',
    path: `${KEYS}/:id`,
    ...ADMIN,
    summary: 'Renames a key, switches it off or on, or ends it for good (archived).',
    body: z.strictObject({
      name: line(100).nullish(),
      status: z.enum(['active', 'inactive', 'archived']).nullish(),
    }),
    reply: KeyView,
    async handle({ deps, params, body, headers, actor }) {
      const before = await keyOf(deps, params.id)
      const name = body.name ?? before.key.name
      const wanted = body.status ?? before.status
      const isRenamed = name !== before.key.name
      const isSwitched = wanted !== before.status && wanted !== 'archived' && isSwitch(before, wanted)
      if (before.status === 'archived' && (isRenamed || wanted !== 'archived')) {
        throw new Refusal('invalid_input', 'This key has ended for good.')
      }
      const { id } = before.key
      const parts = { ...deps, actor }
      if (isRenamed) await updateKey(parts, 'admin', id, { name })
      if (isSwitched) {
        await updateKey(parts, 'admin', id, { status: wanted === 'active' ? 'active' : 'disabled' })
      }
      if (wanted === 'archived' && before.status !== 'archived') await deleteKey(parts, 'admin', id)
      await deps.keyCache.changed()
      return viewOf(await keyOf(deps, params.id), isCurrent(headers))
    },
  }),
]

/** Whether a switch changes anything: an expired key stays expired, however it is switched. */
function isSwitch({ key }: PagedKey, wanted: KeyStatus): boolean {
  return key.status !== (wanted === 'active' ? 'active' : 'disabled')
}

async function keyOf({ db, clock }: Pick<Deps, 'db' | 'clock'>, idText: string) {
  const { rows } = await keyPage(db, { id: idIn('apikey', idText) }, clock.now())
  const [row] = rows
  if (!row) throw nothingHere()
  return row
}

function viewOf(
  { key, owner, groupId, status }: PagedKey & { status: KeyStatus },
  isNew: boolean,
): z.infer<typeof KeyView> {
  const isService = owner.kind === 'service'
  const holder = { id: userTag(owner), type: isService ? ('service_account' as const) : ('user' as const) }
  const workspace = workspaceTag(groupId)
  const common = {
    id: `apikey_${key.id}`,
    type: 'api_key' as const,
    name: key.name,
    status,
    created_by: holder,
    partial_key_hint: `${key.prefix}...${key.last4}`,
    created_at: timeText(key.createdAt),
    expires_at: key.expiresAt === null ? null : timeText(key.expiresAt),
  }
  if (!isNew) return { ...common, principal: holder, workspace_id: workspace }
  const principal = isService
    ? { type: 'service_account_actor' as const, service_account_id: holder.id }
    : { type: 'user_actor' as const, user_id: holder.id }
  const scope = workspace
    ? { type: 'workspace' as const, workspace_id: workspace }
    : { type: 'organization' as const }
  return { ...common, principal, scope }
}
