/** Routes with which administrators manage backends, those of the configuration file and those that they add. */
import * as z from 'zod'
import { changeBackend, checkBackend, tryBackend, tryChange, trySettings } from '../core/backends/manage.ts'
import { addBackend, changeStoredBackend, removeBackend } from '../core/backends/manage-stored.ts'
import { openSettings, storedBackendOf } from '../core/backends/stored.ts'
import { OUTCOMES, STEPS } from '../core/backends/try-out.ts'
import { viewOf } from '../core/backends/view.ts'
import type { Deps } from '../core/deps.ts'
import { nothingHere, Refusal } from '../core/errors.ts'
import type { Backend } from '../core/settings.ts'
import { BackendView, backendView } from './backend-views.ts'
import { Coded } from './fields.ts'
import { assertRecent } from './identify.ts'
import { route } from './route.ts'

const BackendAnswer = z.strictObject({ backend: BackendView })
const Settings = z.looseObject({}).meta({
  description:
    'As one of `backends` in the configuration file, where each setting is explained. What holds a secret is stored encrypted and never shown again.',
})
const Change = z
  .looseObject({ enabled: z.boolean().optional(), weight: z.number().min(0).max(1e6).optional() })
  .meta({
    description:
      'Of a backend of the configuration file: enabled and weight, until restart or reload. Of another one: any settings, of which null takes one away; others stay. What decides where secrets go is changed only together with all of them.',
  })
const Tried = z.strictObject({
  steps: z.array(
    z.strictObject({ step: z.enum(STEPS), outcome: z.enum(OUTCOMES), message: z.string(), ...Coded.shape }),
  ),
})
const Unused = z
  .strictObject({ name: z.string(), problem: z.string() })
  .meta({ description: 'A stored backend that is not in force, and why.' })

export const backends = [
  route({
    method: 'GET',
    path: '/admin/api/backends',
    tier: 'auditor',
    summary: 'Backends and how they are, with each model that is not well there. Never a credential.',
    reply: z.strictObject({
      backends: z.array(BackendView),
      unused: z.array(Unused),
      /** Whether backends can be added here: secrets.key is set. */
      can_add: z.boolean(),
    }),
    handle: ({ deps }) => ({
      backends: deps.balancer.views().map((view) => backendView(deps, view)),
      unused: [...deps.fleet.unused()],
      can_add: deps.secrets !== undefined,
    }),
  }),
  route({
    method: 'GET',
    path: '/admin/api/backends/:name/settings',
    tier: 'auditor',
    summary: 'The settings of a backend that was added here, without those that may hold a secret.',
    reply: z.strictObject({ settings: z.record(z.string(), z.unknown()) }),
    async handle({ deps, params: { name } }) {
      const row = await storedBackendOf(deps.db, name)
      if (!row) throw nothingHere()
      return { settings: openSettings(row) }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/backends',
    tier: 'admin',
    recent: true,
    summary: 'Adds a backend beside those of the configuration file, in force at once.',
    errors: [409],
    body: Settings,
    reply: BackendAnswer,
    status: 201,
    async handle({ deps, body, actor }) {
      return { backend: await storedView(deps, await addBackend({ ...deps, actor }, body)) }
    },
  }),
  route({
    method: 'PUT',
    path: '/admin/api/backends/:name',
    tier: 'admin',
    summary:
      'Changes a backend: one of the configuration file until restart or reload. Weight 0 drains it, which needs no recent sign-in.',
    errors: [409],
    body: Change,
    reply: BackendAnswer,
    async handle({ deps, caller, params: { name }, body, actor }) {
      const { enabled, weight, ...others } = body
      if (Object.values(others).some((value) => value !== undefined)) assertRecent(deps, caller)
      if (!deps.fleet.fileNames.has(name)) {
        return { backend: await storedView(deps, await changeStoredBackend({ ...deps, actor }, name, body)) }
      }
      assertNone(others)
      return {
        backend: backendView(deps, await changeBackend({ ...deps, actor }, name, { enabled, weight })),
      }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/backends/:name',
    tier: 'admin',
    recent: true,
    summary: 'Removes a backend that was added here. Calls in flight go on to their end.',
    reply: z.strictObject({ ok: z.literal(true) }),
    async handle({ deps, params: { name }, actor }) {
      await removeBackend({ ...deps, actor }, name)
      await deps.fleet.changed()
      return { ok: true }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/backends/test',
    tier: 'admin',
    recent: true,
    summary: 'Tries settings that are not stored: credentials, list of models, and a call of one token.',
    body: Settings,
    reply: Tried,
    handle: async ({ deps, body, actor }) => ({ steps: await trySettings({ ...deps, actor }, body) }),
  }),
  route({
    method: 'POST',
    path: '/admin/api/backends/:name/test',
    tier: 'admin',
    recent: true,
    summary: 'Tries a backend: credentials, list of models, and a call of one token.',
    reply: Tried,
    handle: async ({ deps, params, actor }) => ({ steps: await tryBackend({ ...deps, actor }, params.name) }),
  }),
  route({
    method: 'POST',
    path: '/admin/api/backends/:name/test-change',
    tier: 'admin',
    recent: true,
    summary: 'Tries a change of a backend that was added here, which is not made.',
    body: Change,
    reply: Tried,
    async handle({ deps, params: { name }, body, actor }) {
      if (deps.fleet.fileNames.has(name)) assertNone(body)
      return { steps: await tryChange({ ...deps, actor }, name, body) }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/backends/:name/check',
    tier: 'admin',
    summary:
      'Asks a backend for its models now. One that answers gets a call at once, which may bring it back.',
    reply: BackendAnswer,
    async handle({ deps, params, actor }) {
      return { backend: backendView(deps, await checkBackend({ ...deps, actor }, params.name)) }
    },
  }),
]

/** A backend as it is stored now, whether or not that is in force already. */
async function storedView(deps: Deps, backend: Backend): Promise<BackendView> {
  const { memory } = await deps.fleet.changed()
  return backendView(deps, viewOf(backend, memory, deps.clock.now()))
}

/** Throws a Refusal invalid_input for settings that only the configuration file can change. */
function assertNone(others: Readonly<Record<string, unknown>>): void {
  const names = Object.keys(others)
  if (names.length === 0) return
  const problem = 'this field is not known'
  throw new Refusal('invalid_input', `${names.join(', ')}: ${problem}`.slice(0, 1000), {
    fields: Object.fromEntries(names.map((name) => [name, problem])),
  })
}
