/** What rows of the audit tell of a change, by the names of the API. */

/** Fields of all rows: a name means the same in each. */
export interface AuditFields {
  user_id: number
  key_id: number
  name: string
  role: 'user' | 'admin' | 'billing' | 'auditor'
  status: 'active' | 'disabled' | 'approved' | 'rejected'
  disabled_by: 'owner' | 'admin' | null
  /** RFC 3339; null = never. */
  expires_at: string | null
  /** Of a secret that was replaced: how it begins and ends, and until when it works. */
  previous_key: string
  previous_ends_at: string
  /** 0 = no limit, here and in the limits below. */
  quota_tokens: number
  budget_usd: number
  /** null = as configured in limits.*, or, of a group, none. */
  requests_per_minute: number | null
  tokens_per_minute: number | null
  concurrent_requests: number | null
  kind: 'person' | 'service'
  billing_group_id: number | null
  /** Globs of models, and networks; null = no list. */
  models: readonly string[] | null
  networks: readonly string[] | null
  /** Globs of models that a group opens and closes. */
  allow: readonly string[]
  deny: readonly string[]
  bills: boolean
  priority: number
  parent_id: number | null
  lead_max_usd: number
  leads_add: boolean
  group_role: 'member' | 'lead'
  period: 'daily' | 'weekly' | 'monthly' | 'total'
  /** Of spend limits: null = unlimited. */
  amount_usd: number | null
  temporary_usd: number | null
  temporary_until: string | null
  /** Whether the limit says anything beside its temporary amount. */
  is_set: boolean
  granted_usd: number | null
  granted_until: string | null
  model: string
  note: string | null
  backend: string
  enabled: boolean
  weight: number
  reason: string
  count: number
  last_at: string
  tz: string
  source: 'direct' | 'oidc' | 'ldap' | 'scim'
  issuer: string
  subject: string
  directory_group_id: number | null
  /** Of an export, which rows of the audit it is of: who did it, whom it concerns, what was done, and text. */
  actor: number
  about: number
  action: string
  target: string
  q: string
  /** Of an export of calls. */
  outcome: string
  session: string
  request_id: string
  start_date: string
  end_date: string
  users: number
  api_keys: number
  usage_logs: number
  scopes: readonly string[]
  channel_kind: 'webhook' | 'slack' | 'feishu' | 'dingtalk' | 'wecom'
  /** Of a channel's address; the rest of it is a secret. */
  host: string
  /** Whether address and secret were set again. */
  target_set: boolean
  language: 'en' | 'zh'
  /** Events that a channel takes, or that people are told of unless they choose otherwise. */
  events: readonly string[]
  email: string | null
  email_confirmed: boolean
  applications: number
  itcode: string
  /** What a directory calls somebody, or a group. */
  user_name: string
  external_id: string | null
  /** Ids of people. */
  added: readonly number[]
  removed: readonly number[]
  /** Ids of keys that end, and of groups. */
  keys: readonly number[]
  group_ids: readonly number[]
  sessions: number
  domains: readonly string[]
  /** Names of settings of a backend that hold a secret: those that are set, and those that were given again. */
  secrets: readonly string[]
  secrets_changed: readonly string[]
  /** Managed settings of Claude Code, or those of a backend that hold no secret. */
  settings: Readonly<Record<string, unknown>>
}
