/** What went wrong, in the reader's language. The gateway's own text stands in only for codes that are not known here. */
import type { RefusalCode } from '../../../core/errors.ts'
import { ApiError, type Coded } from './api/client.ts'
import { has, i18n, type Key, t } from './i18n/index.svelte.ts'

/** Codes of interfaces that no page uses. */
type Elsewhere =
  | ('unsupported_value' | 'scope_missing')
  | ('filter_invalid' | 'path_invalid' | 'no_target' | 'not_unique')
/** What each code means; `offline` and `unknown` are the client's own. */
const TEXTS: Readonly<Record<Exclude<RefusalCode, Elsewhere> | 'offline' | 'unknown', Key>> = {
  offline: 'error.offline',
  unknown: 'error.unexpected',
  not_signed_in: 'error.not_signed_in',
  sign_in_required: 'error.not_signed_in',
  wrong_password: 'error.wrong_password',
  group_required: 'login.problem.not_allowed',
  account_required: 'login.problem.no_account',
  address_taken: 'login.problem.address_taken',
  provider_unavailable: 'login.problem.provider_unavailable',
  provider_required: 'error.provider_required',
  invalid_code: 'error.invalid_code',
  invalid_invite_code: 'error.invalid_invite_code',
  account_disabled: 'error.account_disabled',
  user_disabled: 'error.account_disabled',
  admins_only: 'error.admins_only',
  sign_in_again: 'error.sign_in_again',
  foreign_origin: 'error.foreign_origin',
  disabled_by_admin: 'error.disabled_by_admin',
  own_application: 'error.own_application',
  invalid_input: 'error.invalid_input',
  body_invalid: 'error.invalid_input',
  unsupported_media_type: 'error.unexpected',
  method_not_allowed: 'error.unexpected',
  too_many_attempts: 'error.too_many_attempts',
  rate_limited: 'error.rate_limited',
  not_found: 'error.not_found',
  conflict: 'error.conflict',
  body_too_large: 'error.body_too_large',
  upload_stalled: 'error.upload_stalled',
  internal: 'error.internal',
  database_unavailable: 'error.database_unavailable',
  overloaded: 'error.overloaded',
  // Of calls, as from the playground.
  key_missing: 'error.key_unknown',
  key_unknown: 'error.key_unknown',
  key_disabled: 'error.key_unknown',
  key_expired: 'error.key_unknown',
  network_not_allowed: 'error.network_not_allowed',
  model_not_allowed: 'error.model_not_allowed',
  model_unknown: 'error.model_unknown',
  quota_exceeded: 'error.quota_exceeded',
  limits_unavailable: 'error.limits_unavailable',
  all_backends_failed: 'error.backends',
  account_unavailable: 'error.backends',
  network_unavailable: 'error.backends',
  no_backend_available: 'error.backends',
  upstream_refused: 'error.upstream_refused',
  upstream_timeout: 'error.upstream_timeout',
}
const BY_CODE: ReadonlyMap<string, Key> = new Map(Object.entries(TEXTS))
const FIELDS: ReadonlyMap<string, Key> = new Map<string, Key>([
  ['itcode', 'error.field.itcode'],
  ['invite_code', 'error.invalid_invite_code'],
  ['name', 'error.field.name'],
  ['expires_at', 'error.field.expires_at'],
  ['reason', 'error.field.reason'],
  ['model', 'error.field.model'],
  ['amount_usd', 'error.field.amount'],
  ['until', 'error.field.until'],
  ['quota_tokens', 'error.field.whole'],
  ['requests_per_minute', 'error.field.whole'],
  ['concurrent_requests', 'error.field.whole'],
  ['budget_usd', 'error.field.number'],
  ['weight', 'error.field.number'],
  ['start_date', 'error.field.dates'],
  ['end_date', 'error.field.dates'],
])

/** Problems of which a field's own text tells more. */
const GENERAL: ReadonlySet<string> = new Set([
  'other',
  'required',
  'text',
  'number',
  'whole',
  'form',
  'one_line',
  'at_least',
  'date',
  'budget',
])

/** What a code means where it was met: only the page knows what it asked for. */
export type Situation = Partial<Record<RefusalCode, Key>>

export function messageOf(cause: unknown, situation: Situation = {}): string {
  if (!(cause instanceof ApiError)) return t('error.unexpected')
  const here = new Map<string, Key>(Object.entries(situation)).get(cause.code)
  if (here) return t(here)
  const [field] = Object.values(fieldErrors(cause))
  if (field) return field
  const key = BY_CODE.get(cause.code)
  const text = key ? t(key) : cause.message || t('error.title')
  return cause.retryAfter ? `${text}${t('error.wait', { time: span(cause.retryAfter) })}` : text
}

/** A line for each field that the gateway did not take, of a list for its first member of these; none for any other error. */
export function fieldErrors(cause: unknown): Readonly<Record<string, string>> {
  if (!(cause instanceof ApiError) || cause.code !== 'invalid_input') return {}
  return Object.fromEntries(
    Object.keys(cause.fields)
      .toReversed()
      .map((path) => {
        const found = cause.problems[path]
        const [field = path] = path.split('.')
        const own = FIELDS.get(field)
        const isOwn = own !== undefined && (!found || GENERAL.has(found.code))
        return [field, isOwn ? t(own) : problemText(found, t('error.field'))]
      }),
  )
}

/** The same for a form that names its settings as the document does. */
export function problemsOf(cause: unknown): readonly (readonly [path: string, text: string])[] {
  if (!(cause instanceof ApiError) || cause.code !== 'invalid_input') return []
  return Object.entries(cause.fields).map(([path, text]) => [path, problemText(cause.problems[path], text)])
}

/** What a sentence of the gateway says; the sentence itself for a code that is not known here. */
export function problemText(coded: Coded | undefined, sentence: string): string {
  const key = `problem.${coded?.code}`
  return coded && has(key) ? t(key, coded.params) : sentence
}

/** The id that an administrator can look for, where somebody has to. */
export function requestIdOf(cause: unknown): string | undefined {
  if (!(cause instanceof ApiError)) return undefined
  return BY_CODE.has(cause.code) && cause.status < 500 ? undefined : cause.requestId
}

/** "40 seconds", "2 hours": never less than what has to be waited. */
export function span(seconds: number): string {
  const [unit, size] =
    seconds <= 90
      ? (['second', 1] as const)
      : seconds < 3_600
        ? (['minute', 60] as const)
        : (['hour', 3_600] as const)
  return new Intl.NumberFormat(i18n.locale, { style: 'unit', unit, unitDisplay: 'long' }).format(
    Math.ceil(seconds / size),
  )
}
