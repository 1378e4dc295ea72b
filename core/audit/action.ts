/**
 * Every audited action with the fields of its row. The table is closed: an action or field missing from it does not compile.
 * Rows are written as in the API: snake_case, dollars, RFC 3339.
 */
import type { AuditFields } from './fields.ts'

export type AuditField = keyof AuditFields
type Field = AuditField

/** Fields of a row. `made`, `removed`: all listed ones. `changed`: those that changed. `asked`: those that were given. */
interface Shape {
  made?: readonly Field[]
  changed?: readonly Field[]
  removed?: readonly Field[]
  asked?: readonly Field[]
  /** Strangers can cause it without end, so that one row an hour counts it. */
  counted?: true
}

const RATES = ['requests_per_minute', 'tokens_per_minute', 'concurrent_requests'] as const
const LIMITS = ['quota_tokens', 'budget_usd', ...RATES] as const
const KEY = ['name', 'expires_at', ...LIMITS, 'billing_group_id', 'models', 'networks'] as const
const SWITCHED_KEY = ['status', 'disabled_by', ...KEY] as const
const USER = ['name', 'role', 'status', ...LIMITS, 'billing_group_id'] as const
const REVIEW = ['user_id', 'model', 'status', 'note'] as const
const GROUP = ['name', 'bills', 'priority', 'parent_id', ...RATES, 'lead_max_usd', 'leads_add'] as const
const CHANNEL = ['name', 'host', 'language', 'events', 'enabled'] as const
const POLICY = ['name', 'priority', 'group_ids', 'domains', 'settings'] as const
const SPEND_LIMIT = ['is_set', 'amount_usd', 'temporary_usd', 'temporary_until'] as const
const GRANT = ['user_id', 'period', 'granted_usd', 'granted_until', 'note'] as const

export const AUDIT_ACTIONS = {
  'admin_key.create': { made: ['name', 'scopes', 'expires_at'] },
  'admin_key.revoke': {},
  'application.approve': { made: REVIEW },
  'application.create': {},
  'application.reject': { made: REVIEW },
  /** The decision was taken back. */
  'application.reopen': { made: ['user_id'] },
  'application.withdraw': {},
  'audit.export': { asked: ['start_date', 'end_date', 'tz', 'actor', 'about', 'action', 'target', 'q'] },
  'backend.check': {},
  'backend.create': { made: ['settings', 'secrets'] },
  'backend.delete': { removed: ['settings'] },
  'backend.disabled': { made: ['reason'] },
  'backend.ejected': { made: ['reason'] },
  'backend.test': {},
  'backend.update': { changed: ['enabled', 'weight', 'settings', 'secrets_changed'] },
  'channel.create': { made: ['channel_kind', ...CHANNEL] },
  'channel.delete': { removed: ['name', 'channel_kind', 'host'] },
  'channel.update': { changed: [...CHANNEL, 'target_set'] },
  'config.reload': {},
  'device.approve': {},
  /** A second program uses what only one should have. */
  'device.copied': { made: ['reason'] },
  'device.create': { made: ['name'] },
  'device.deny': {},
  'device.end': {},
  'grant.revoke': { removed: ['user_id', 'model'] },
  'group.create': { made: [...GROUP, 'source', 'external_id'] },
  'group.delete': { removed: ['name'] },
  'group.members': { made: ['added', 'removed'] },
  'group.member_add': { made: ['user_id', 'group_role'] },
  'group.member_remove': { removed: ['user_id', 'group_role'] },
  'group.member_role': { changed: ['group_role'] },
  'group.models': { changed: ['allow', 'deny'] },
  'group.scim': { made: ['external_id'] },
  'group.update': { changed: [...GROUP, 'external_id'] },
  'identity.join': { made: ['issuer', 'subject'] },
  'identity.part': { removed: ['issuer', 'subject'] },
  /** So many people were refused by their provider at once that pausing stopped. */
  'identity.pausing_stopped': { made: ['count'] },
  import: { made: ['users', 'api_keys', 'usage_logs', 'applications'] },
  'invitation.create': {
    asked: ['email', 'role', 'group_ids', 'amount_usd', 'period', 'count', 'expires_at'],
  },
  'invitation.revoke': {},
  'key.create': { made: ['user_id', ...KEY] },
  'key.delete': {},
  'key.disable': { changed: SWITCHED_KEY },
  'key.end_previous': {},
  'key.enable': { changed: SWITCHED_KEY },
  'key.move': { changed: ['user_id', 'billing_group_id'] },
  'key.rotate': { made: ['previous_key', 'previous_ends_at'] },
  'key.update': { changed: KEY },
  'limit.delete': { removed: SPEND_LIMIT },
  /** A budget of an earlier release that equals the default of all, which no longer needs a row. */
  'limit.is_default': { removed: ['amount_usd'] },
  /** A budget of an earlier release that became a spend limit. */
  'limit.moved': { made: ['amount_usd'] },
  'limit.set': { changed: SPEND_LIMIT },
  'login.code_handed_over': {},
  'login.failed': { counted: true },
  'login.ok': {},
  'login.refused': { counted: true },
  'logout.everywhere': {},
  'notices.defaults': { changed: ['events'] },
  'object.adopt': { made: ['backend', 'user_id'] },
  'object.delete': { removed: ['backend', 'user_id'] },
  'policy.create': { made: POLICY },
  'policy.delete': { removed: ['name'] },
  'policy.update': { changed: POLICY },
  'request.approve': { made: GRANT },
  'request.create': { made: ['user_id', 'period', 'amount_usd'] },
  'request.reject': { made: ['user_id', 'period', 'note'] },
  'request.reopen': { made: ['user_id'] },
  'request.withdraw': {},
  'session.end': {},
  'usage.export': {
    asked: [
      'start_date',
      'end_date',
      'tz',
      'model',
      'key_id',
      'user_id',
      'backend',
      'outcome',
      'session',
      'request_id',
    ],
  },
  'user.address': { changed: ['email', 'email_confirmed'] },
  'user.create': { made: ['kind', 'email', 'email_confirmed', ...USER] },
  'user.delete': { removed: ['itcode', 'role', 'keys', 'group_ids', 'sessions'] },
  'user.erase': {},
  'user.first_admin': { changed: ['role', 'status'] },
  /** Where notices to them go; null = to the account's own address. */
  'user.notice_address': { changed: ['email'] },
  'user.release': { changed: ['itcode'] },
  'user.revive': {},
  /** The group of their department, as their provider says. */
  'user.directory': { changed: ['directory_group_id'] },
  /** Their sessions ended, and their keys wait for a sign-in. */
  'user.pause': { made: ['reason'] },
  'user.resume': {},
  'user.scim': { made: ['user_name', 'external_id'] },
  'user.update': { changed: [...USER, 'user_name', 'external_id'] },
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
