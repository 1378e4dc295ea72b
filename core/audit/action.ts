/**
 * Every audited action with the fields of its row. The table is closed: an action or field missing from it does not compile.
 * Rows are written as in the API: snake_case, dollars, RFC 3339.
 */

/** Fields of all rows: a name means the same in each. */
interface AuditFields {
  user_id: number
  key_id: number
  name: string
  role: 'user' | 'admin'
  status: 'active' | 'disabled' | 'approved' | 'rejected'
  disabled_by: 'owner' | 'admin' | null
  /** RFC 3339; null = never. */
  expires_at: string | null
  /** 0 = no limit, here and in the limits below. */
  quota_tokens: number
  budget_usd: number
  /** null = as configured in limits.*. */
  requests_per_minute: number | null
  concurrent_requests: number | null
  model: string
  note: string | null
  backend: string
  enabled: boolean
  weight: number
  reason: string
  count: number
  last_at: string
  tz: string
  start_date: string
  end_date: string
  users: number
  api_keys: number
  usage_logs: number
  applications: number
}
type Field = keyof AuditFields

/** Fields of a row. `made`, `removed`: all listed ones. `changed`: those that changed. `asked`: those that were given. */
interface Shape {
  made?: readonly Field[]
  changed?: readonly Field[]
  removed?: readonly Field[]
  asked?: readonly Field[]
  /** Strangers can cause it without end, so that one row an hour counts it. */
  counted?: true
}

const LIMITS = ['quota_tokens', 'budget_usd', 'requests_per_minute', 'concurrent_requests'] as const
const KEY = ['name', 'expires_at', ...LIMITS] as const
const SWITCHED_KEY = ['status', 'disabled_by', ...KEY] as const
const USER = ['name', 'role', 'status', ...LIMITS] as const
const REVIEW = ['user_id', 'model', 'status', 'note'] as const

export const AUDIT_ACTIONS = {
  'application.approve': { made: REVIEW },
  'application.create': {},
  'application.reject': { made: REVIEW },
  'application.withdraw': {},
  'backend.check': {},
  'backend.disabled': { made: ['reason'] },
  'backend.ejected': { made: ['reason'] },
  'backend.update': { changed: ['enabled', 'weight'] },
  'config.reload': {},
  'grant.revoke': { removed: ['user_id', 'model'] },
  import: { made: ['users', 'api_keys', 'usage_logs', 'applications'] },
  'key.create': { made: ['user_id', ...KEY] },
  'key.delete': {},
  'key.disable': { changed: SWITCHED_KEY },
  'key.enable': { changed: SWITCHED_KEY },
  'key.update': { changed: KEY },
  'login.code_handed_over': {},
  'login.failed': { counted: true },
  'login.ok': {},
  'login.refused': { counted: true },
  'logout.everywhere': {},
  'object.adopt': { made: ['backend', 'user_id'] },
  'usage.export': { asked: ['start_date', 'end_date', 'tz', 'model', 'key_id', 'user_id', 'backend'] },
  'user.create': { made: USER },
  'user.first_admin': { changed: ['role', 'status'] },
  'user.update': { changed: USER },
} as const satisfies Record<string, Shape>

export type AuditAction = keyof typeof AUDIT_ACTIONS
// The cast holds because the keys of a constant are exactly those of its type.
export const AUDIT_ACTION_NAMES = Object.keys(AUDIT_ACTIONS) as AuditAction[]

/** Actions that are counted by the hour. */
export type CountedAction = {
  [A in AuditAction]: (typeof AUDIT_ACTIONS)[A] extends { counted: true } ? A : never
}[AuditAction]

type All<F extends Field> = { [K in F]: AuditFields[K] }
/** Fields that are undefined are left out. */
type Some<F extends Field> = { [K in F]?: AuditFields[K] | undefined }
type AuditedFields<S> = S extends { made: readonly (infer F extends Field)[] }
  ? { before?: never; after: All<F> }
  : S extends { changed: readonly (infer F extends Field)[] }
    ? { before: Some<F>; after: Some<F> }
    : S extends { removed: readonly (infer F extends Field)[] }
      ? { before: All<F>; after?: never }
      : S extends { asked: readonly (infer F extends Field)[] }
        ? { before?: never; after: Some<F> }
        : { before?: never; after?: never }

/** An action with the `before` and `after` of its row, for every action that is not counted. */
export type Audited = {
  [A in Exclude<AuditAction, CountedAction>]: { action: A } & AuditedFields<(typeof AUDIT_ACTIONS)[A]>
}[Exclude<AuditAction, CountedAction>]
