/** Routes of policies: administrators manage them, and Claude Code fetches the settings of its person. */
import * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { nothingHere } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import { availableModels } from '../core/models/available.ts'
import { withAvailableModels } from '../core/policies/available-models.ts'
import { checkSettings } from '../core/policies/check.ts'
import { desktopSettings, withoutDesktop } from '../core/policies/desktop.ts'
import {
  createPolicy,
  deletePolicy,
  listPolicies,
  rollBackPolicy,
  updatePolicy,
  versionsOf,
} from '../core/policies/manage.ts'
import { isKnown, managedAnswer } from '../core/policies/managed-settings.ts'
import type { Matched, Policy } from '../core/policies/match.ts'
import { policiesOfPerson } from '../core/policies/person.ts'
import { timeText } from '../core/units.ts'
import { Coded, idInQuery, idOf, line, timestamp } from './fields.ts'
import { report, route } from './route.ts'

const DOCUMENT_BYTES = 262_144
const settings = z.record(z.string(), z.unknown())
const shape = {
  name: line(100),
  priority: z.int().min(0).max(1_000_000),
  group_ids: z.array(z.int().min(1)).max(100),
  domains: z.array(line(253).toLowerCase()).max(100),
  settings,
}
export const PolicyView = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    priority: z.int(),
    group_ids: z.array(z.int()),
    domains: z.array(z.string()),
    settings,
    warnings: z.array(z.string()),
    warning_codes: z.array(Coded).meta({ description: 'The same for programs, in the same order.' }),
  })
  .meta({ id: 'Policy' })
const PolicyAnswer = z.strictObject({ policy: PolicyView })
const Wanted = z.strictObject({
  ...shape,
  priority: shape.priority.default(100),
  group_ids: shape.group_ids.default([]),
  domains: shape.domains.default([]),
})

export const policies = [
  report({
    path: '/admin/api/policies',
    tier: 'auditor',
    summary: 'Policies by priority. The first that matches a person counts, over the one of everybody.',
    reply: z.strictObject({ policies: z.array(PolicyView) }),
    handle: async ({ deps }) => ({ policies: (await listPolicies(deps.db)).map(viewOf) }),
  }),
  route({
    method: 'POST',
    path: '/admin/api/policies',
    tier: 'admin',
    summary: 'Makes a policy. Without groups and domains it is for everybody.',
    errors: [409],
    body: Wanted,
    bodyBytes: DOCUMENT_BYTES,
    reply: PolicyAnswer,
    status: 201,
    async handle({ deps, body, actor }) {
      const policy = await createPolicy({ ...deps, actor }, { ...body, groupIds: body.group_ids })
      return { policy: viewOf(policy) }
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/policies/:id',
    tier: 'admin',
    summary: 'Changes a policy. Claude Code fetches it within the hour.',
    errors: [409],
    body: z.strictObject(shape).partial(),
    bodyBytes: DOCUMENT_BYTES,
    reply: PolicyAnswer,
    async handle({ deps, params, body, actor }) {
      const { group_ids: groupIds, ...rest } = body
      const change = { ...rest, groupIds }
      return { policy: viewOf(await updatePolicy({ ...deps, actor }, idOf(params.id), change)) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/policies/:id',
    tier: 'admin',
    summary: 'Deletes a policy.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await deletePolicy({ ...deps, actor }, idOf(params.id))
      return { message: 'deleted' }
    },
  }),
  report({
    path: '/admin/api/policies/:id/versions',
    tier: 'auditor',
    summary: 'What a policy was, newest first.',
    reply: z.strictObject({
      versions: z.array(
        z.strictObject({
          id: z.int(),
          created_at: timestamp,
          actor_id: z.int().nullable(),
          policy: PolicyView,
        }),
      ),
    }),
    async handle({ deps, params }) {
      const found = await versionsOf(deps.db, idOf(params.id))
      return {
        versions: found.map(({ version: { id, createdAt, actorId }, policy }) => ({
          id,
          created_at: timeText(createdAt),
          actor_id: actorId,
          policy: viewOf(policy),
        })),
      }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/policies/:id/rollback',
    tier: 'admin',
    summary: 'Takes a policy back to a version.',
    errors: [409],
    body: z.strictObject({ version: z.int().min(1) }),
    reply: PolicyAnswer,
    async handle({ deps, params, body, actor }) {
      return { policy: viewOf(await rollBackPolicy({ ...deps, actor }, idOf(params.id), body.version)) }
    },
  }),
  route({
    method: 'GET',
    path: '/admin/api/policies-preview',
    tier: 'auditor',
    summary: 'The settings that a person gets, and by which policies.',
    errors: [404],
    query: z.strictObject({ user_id: idInQuery }),
    reply: z.strictObject({ policies: z.array(z.string()), settings: settings.nullable() }),
    async handle({ deps, query }) {
      const found = await settingsOf(deps, query.user_id)
      const names = found?.policies.map(({ name }) => name) ?? []
      return { policies: names, settings: found ? found.settings : null }
    },
  }),
  route({
    method: 'GET',
    path: '/managed/settings',
    tier: 'key',
    dialect: 'anthropic',
    summary:
      'The managed settings of the caller, for Claude Code; 304 where it has them, 404 without a policy.',
    errors: [404],
    reply: z.strictObject({ uuid: z.string(), checksum: z.string(), settings }),
    async handle({ deps, caller, headers, id }) {
      const found = await settingsOf(deps, caller.userId)
      if (!found) throw nothingHere()
      const person = `${deps.settings.publicUrl} ${caller.userId}`
      const answer = managedAnswer(withoutDesktop(found.settings), person, deps.sha256)
      const common = { 'request-id': id, 'cache-control': 'no-store', etag: `"${answer.checksum}"` }
      if (isKnown(headerOf(headers, 'if-none-match'), answer.checksum)) {
        return new Response(null, { status: 304, headers: common })
      }
      return Response.json(answer, { headers: common })
    },
  }),
  route({
    method: 'GET',
    path: '/user/bootstrap',
    tier: 'key',
    dialect: 'anthropic',
    summary:
      "What the caller's Claude Desktop runs with, made of their policy; 404 unless it has the key desktop.",
    errors: [404],
    reply: settings,
    async handle({ deps, caller }) {
      const found = await settingsOf(deps, caller.userId)
      const desktop = found && desktopSettings(found.settings)
      if (!desktop) throw nothingHere()
      return desktop
    },
  }),
]

function viewOf({ id, name, priority, groupIds, domains, settings }: Policy) {
  const { warnings } = checkSettings(settings)
  return {
    id,
    name,
    priority,
    group_ids: [...groupIds],
    domains: [...domains],
    settings: { ...settings },
    warnings: warnings.map(({ message }) => message),
    warning_codes: warnings.map(({ code, params }) => ({ code, params: { ...params } })),
  }
}

/** What a person runs Claude Code with; undefined where no policy matches. Throws a Refusal not_found. */
async function settingsOf(
  deps: Pick<Deps, 'db' | 'settings' | 'catalogue' | 'prices'>,
  userId: number,
): Promise<Matched | undefined> {
  const matched = await policiesOfPerson(deps, userId)
  if (!matched) return undefined
  const models = await availableModels(deps, userId)
  const usable = models.filter(({ access }) => access === 'open' || access === 'granted').map(({ id }) => id)
  return { ...matched, settings: withAvailableModels(matched.settings, usable) }
}
