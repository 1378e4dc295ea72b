/** What is shown of backends: never a credential. */
import * as z from 'zod'
import {
  type BackendStatus,
  type HealthView,
  SECRET_SETTINGS,
  secretsSet,
  withoutUser,
} from '../core/backends/view.ts'
import type { Deps } from '../core/deps.ts'
import { KIND_NAMES } from '../core/settings.ts'
import { timeText } from '../core/units.ts'
import { timestamp } from './fields.ts'

const healthFields = {
  state: z.enum(['healthy', 'failing', 'ejected', 'half_open', 'cooling_down', 'unavailable', 'disabled']),
  reason: z.string(),
  since: timestamp.nullable(),
  retry_at: timestamp.nullable(),
}
const ModelHealth = z
  .strictObject({ model: z.string(), ...healthFields, recent_failures: z.int() })
  .meta({ id: 'ModelHealth' })
export const BackendView = z
  .strictObject({
    name: z.string(),
    /** Where its settings are: in the configuration file, or stored by this interface. */
    source: z.enum(['file', 'api']),
    type: z.enum(KIND_NAMES),
    url: z.string(),
    /** Names or globs of the models it serves; empty: all. */
    serves: z.array(z.string()),
    weight: z.number(),
    /** Lower ones get new conversations only when all higher ones are out or have no room. */
    priority: z.int(),
    /** Without user and password. */
    proxy: z.string().nullable(),
    /** Names of the headers that go with every request. */
    headers: z.array(z.string()),
    /** The settings that hold a secret, never one of them. */
    secrets: z.array(z.enum(SECRET_SETTINGS)),
    enabled: z.boolean(),
    ...healthFields,
    disabled_by: z.enum(['switched_off', 'refused', 'unpaid']).nullable(),
    consecutive_failures: z.int(),
    in_flight: z.int(),
    models: z.array(ModelHealth),
  })
  .meta({ id: 'Backend' })
export type BackendView = z.infer<typeof BackendView>

/** Times (ms since 1970) after this mean that the backend does not come back by itself. */
const BACK_FAR_MS = 8_000_000_000_000_000

export function backendView({ fleet }: Pick<Deps, 'fleet'>, view: BackendStatus): BackendView {
  const { name, kind, url, models, weight, priority, proxy, headers, enabled } = view.backend
  return {
    name,
    source: fleet.fileNames.has(name) ? 'file' : 'api',
    type: kind,
    url,
    serves: [...models],
    weight,
    priority,
    proxy: proxy === undefined ? null : withoutUser(proxy),
    headers: headers.map(([name]) => name),
    secrets: secretsSet(view.backend),
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
