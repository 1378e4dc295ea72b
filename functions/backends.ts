/** Backends, as administrators look after them. What is changed here holds until restart or reload. */
import * as z from 'zod'
import { auditRow } from '../core/audit/record.ts'
import type { BackendStatus, HealthView } from '../core/backends/view.ts'
import type { Deps } from '../core/deps.ts'
import { nothingHere } from '../core/errors.ts'
import { timeText } from '../core/units.ts'
import { timestamp } from './fields.ts'
import { route } from './route.ts'

const healthFields = {
  state: z.enum(['healthy', 'failing', 'ejected', 'half_open', 'cooling_down', 'unavailable', 'disabled']),
  reason: z.string(),
  since: timestamp.nullable(),
  retry_at: timestamp.nullable(),
}
const ModelHealth = z
  .strictObject({ model: z.string(), ...healthFields, recent_failures: z.int() })
  .meta({ id: 'ModelHealth' })
const BackendView = z
  .strictObject({
    name: z.string(),
    type: z.literal('anthropic'),
    url: z.string(),
    weight: z.number(),
    enabled: z.boolean(),
    ...healthFields,
    disabled_by: z.enum(['switched_off', 'refused', 'unpaid']).nullable(),
    consecutive_failures: z.int(),
    in_flight: z.int(),
    models: z.array(ModelHealth),
  })
  .meta({ id: 'Backend' })
export type BackendView = z.infer<typeof BackendView>

const BackendAnswer = z.strictObject({ backend: BackendView })
/** A time after this means: not by itself. */
const BACK_FAR_MS = 8_000_000_000_000_000

export const backends = [
  route({
    method: 'GET',
    path: '/admin/api/backends',
    tier: 'admin',
    summary: 'Backends and how they are, with each model that is not well there. Never a credential.',
    reply: z.strictObject({ backends: z.array(BackendView) }),
    handle: ({ deps }) => ({ backends: deps.balancer.views().map(backendView) }),
  }),
  route({
    method: 'PUT',
    path: '/admin/api/backends/:name',
    tier: 'admin',
    summary: 'Changes a backend until restart or reload. Weight 0 drains it.',
    body: z.strictObject({ enabled: z.boolean().optional(), weight: z.number().min(0).max(1e6).optional() }),
    reply: BackendAnswer,
    async handle({ deps, params, body, actor }) {
      const before = backendAnswer(deps, params.name).backend
      deps.balancer.adjust(before.name, body)
      const after = backendAnswer(deps, before.name)
      const changed = ({ enabled, weight }: BackendView) => ({ enabled, weight })
      await auditRow(deps.db, {
        actor,
        at: deps.clock.now(),
        action: 'backend.update',
        target: `backend:${before.name}`,
        before: changed(before),
        after: changed(after.backend),
      })
      return after
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
      const { name } = backendAnswer(deps, params.name).backend
      const view = deps.balancer.views().find(({ backend }) => backend.name === name)
      if (view) await deps.catalogue.check(view.backend)
      const at = deps.clock.now()
      await auditRow(deps.db, { actor, at, action: 'backend.check', target: `backend:${name}` })
      return backendAnswer(deps, name)
    },
  }),
]

function backendAnswer({ balancer }: Deps, name: string) {
  const view = balancer.views().find(({ backend }) => backend.name === name)
  if (!view) throw nothingHere()
  return { backend: backendView(view) }
}

function backendView(view: BackendStatus): BackendView {
  const { name, url, weight, enabled } = view.backend
  return {
    name,
    type: 'anthropic',
    url,
    weight,
    enabled,
    ...healthView(view),
    disabled_by: view.disabledBy ?? null,
    consecutive_failures: view.failures,
    in_flight: view.inFlight,
    models: view.models.map((model) => ({
      model: model.model,
      ...healthView(model),
      recent_failures: model.failures,
    })),
  }
}

function healthView({ state, reason, since, until }: HealthView) {
  return {
    state,
    reason,
    since: since > 0 ? timeText(since) : null,
    retry_at: until > 0 && until < BACK_FAR_MS ? timeText(until) : null,
  }
}
