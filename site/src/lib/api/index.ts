/** Every route the site uses, typed from the schemas that the gateway checks its answers with. */
import type * as z from 'zod'
import type { ApplicationView } from '../../../../functions/approvals.ts'
import type { AuditEvent, AuditSubject } from '../../../../functions/audit.ts'
import type { LoginProviderView } from '../../../../functions/auth.ts'
import type { DeviceOfAnybody } from '../../../../functions/devices.ts'
import type { CountedGroup as GroupWithCounts } from '../../../../functions/groups.ts'
import type { KeyView } from '../../../../functions/key-views.ts'
import type { CapView } from '../../../../functions/limits.ts'
import type { LiveView } from '../../../../functions/live.ts'
import type { FiguresOfModel, ModelView } from '../../../../functions/models.ts'
import type { ChannelView } from '../../../../functions/notices.ts'
import type { OutcomeView, QueueItemView } from '../../../../functions/queue.ts'
import type { ReconciledUseView, ReconciliationView } from '../../../../functions/reconciliation.ts'
import type * as reports from '../../../../functions/report-views.ts'
import type { RequestView } from '../../../../functions/requests.ts'
import type * as statements from '../../../../functions/statements.ts'
import type * as stories from '../../../../functions/usage-requests.ts'
import type { PromptLoss } from '../../../../functions/usage-summary.ts'
import type * as usage from '../../../../functions/usage-views.ts'
import type { UserWithUse } from '../../../../functions/users.ts'
import type { UserView } from '../../../../functions/views.ts'
import { del, get, post, put, type Query, withQuery } from './client.ts'

export type User = UserView
export type AdminUser = UserWithUse
export type Key = KeyView
/** With its secret, which is in this one answer only. */
export type MadeKey = KeyView & { key: string }
export type Application = ApplicationView
export type Cap = CapView
export type IncreaseRequest = RequestView
/** What the caller may decide. */
export interface Queue {
  applications: Application[]
  requests: IncreaseRequest[]
}
/** Of what waits for a decision of anybody, and of what was decided. */
export type QueueItem = QueueItemView
export type QueueRef = Pick<QueueItem, 'kind' | 'id'>
export interface Decision {
  status: 'approved' | 'rejected'
  note?: string
  amount_usd?: number
  until?: string | null
}
export type AnyDevice = DeviceOfAnybody
export type Reconciliation = ReconciliationView
export type ReconciledUse = ReconciledUseView
export type CountedGroup = GroupWithCounts
export type Live = LiveView
export interface RetiringModel {
  model: string
  display_name: string
  retires_at: string
  users: { user_id: number; itcode: string | null; requests: number; cost_usd: number }[]
}
export type AvailableModel = ModelView
export type ModelFigures = FiguresOfModel
export type Channel = ChannelView
export type ChannelChange = Partial<Pick<Channel, 'name' | 'language' | 'events' | 'enabled'>> & {
  /** Whole, because a new address with the old secret would give that away. */
  target?: { url: string; secret?: string }
}
export type Audit = AuditEvent
export type Log = usage.Log
export type RequestDetail = stories.RequestDetail
export type SessionDetail = stories.SessionDetail
export type Loss = PromptLoss
type Figures = z.infer<typeof usage.FiguresView>
export type Report = z.infer<typeof reports.ReportView>
export type ReportRow = Report['rows'][number]
export type Statements = z.infer<typeof statements.StatementsView>
export type Statement = z.infer<typeof statements.StatementView>
export type DayStats = z.infer<typeof usage.DayStats>
export type HourStats = z.infer<typeof usage.HourStats>
export type OfModel = z.infer<typeof usage.OfModel>
type OfUser = z.infer<typeof usage.OfUser>
type OfKey = z.infer<typeof usage.OfKey>
type OfBackend = z.infer<typeof usage.OfBackend>

interface Limit {
  limit: number
  used: number
  left: number | null
}
export interface Summary {
  totals: Figures
  by_model: OfModel[]
  by_key: OfKey[]
}
export interface OwnSummary extends Summary {
  quota: Limit
  budget: Limit
  resets_at: string | null
}
export interface AdminSummary extends Summary {
  by_user: OfUser[]
  by_backend: OfBackend[]
}
export interface LogPage {
  logs: Log[]
  total: number | null
  page: number | null
  page_size: number
  next_cursor: string | null
}
export type LoginProvider = z.infer<typeof LoginProviderView>
export interface DeviceGrant {
  client: string
  ip: string
  asked_at: string
  same_address: boolean
}
export interface Device {
  id: number
  name: string
  created_at: string
  last_used_at: string | null
  addresses: { ip: string; last_at: string }[]
}
export interface ClientSettings {
  id: string
  who: 'administrator' | 'person'
  file: string
  place: string
  content: string
}
export interface AuthConfig {
  invite_required: boolean
  code_length: number
  providers: LoginProvider[]
}
export type UserChange = Partial<
  Pick<
    User,
    | ('name' | 'role' | 'status' | 'billing_group_id')
    | ('quota_tokens' | 'budget_usd' | 'requests_per_minute' | 'concurrent_requests')
  >
>

export interface MadeInvitations {
  invitations: { id: number; email: string | null; link: string | null; secret: string }[]
  skipped: string[]
}

/** The usage routes of oneself, or of everybody. */
export type Scope = 'own' | 'all'
const usageBase = (scope: Scope) => (scope === 'own' ? '/api/usage' : '/admin/api/usage')

const reportBase = (scope: Scope) => (scope === 'own' ? '/api/reports' : '/admin/api/reports')

export const api = {
  authConfig: () => get<AuthConfig>('/api/auth/config'),
  sendCode: (itcode: string, entry: { invite_code?: string; invitation?: string }) =>
    post<{ expires_in: number }>('/api/auth/send-code', { itcode, ...entry }),
  invitation: (invitation: string) =>
    post<{ email: string | null; organisation: string; expires_at: string }>('/api/auth/invitation', {
      invitation,
    }),
  login: (itcode: string, code: string) => post<{ user: User }>('/api/auth/login', { itcode, code }),
  passwordLogin: (name: string, password: string) =>
    post<{ user: User }>('/api/auth/ldap', { name, password }),
  logout: () => post('/api/auth/logout'),
  logoutEverywhere: () => post('/api/auth/logout-everywhere'),
  me: () => get<{ user: User }>('/api/auth/me'),

  logs: (scope: Scope, query: Query) => get<LogPage>(usageBase(scope), query),
  request: (scope: Scope, id: string) =>
    get<RequestDetail>(`${usageBase(scope)}/requests/${encodeURIComponent(id)}`),
  session: (scope: Scope, id: string) =>
    get<SessionDetail>(`${usageBase(scope)}/sessions/${encodeURIComponent(id)}`),
  daily: (scope: Scope, query: Query) => get<{ stats: DayStats[] }>(`${usageBase(scope)}/daily`, query),
  hourly: (scope: Scope, query: Query) => get<{ stats: HourStats[] }>(`${usageBase(scope)}/hourly`, query),
  summary: (query: Query = {}) => get<OwnSummary>('/api/usage/summary', query),
  adminSummary: (query: Query = {}) => get<AdminSummary>('/admin/api/usage/summary', query),
  modelsUsed: (scope: Scope) => get<{ models: string[] }>(`${usageBase(scope)}/models`),
  exportPath: (scope: Scope) => `${usageBase(scope)}/export`,

  retiringModels: () => get<{ models: RetiringModel[] }>('/admin/api/reports/retiring-models'),
  /** A figure of each hour of a week, Monday first. */
  week: (scope: Scope, query: Query) => get<{ week: number[][] }>(`${reportBase(scope)}/week`, query),
  reportExport: (scope: Scope, query: Query) => withQuery(`${reportBase(scope)}/export`, query),
  cacheMisses: (query: Query) => get<{ losses: Loss[] }>('/admin/api/usage/cache-misses', query),
  statements: (month: string) => get<Statements>('/admin/api/reports/statements', { month }),
  statement: (id: number, month: string) => get<Statement>(`/admin/api/reports/statements/${id}`, { month }),
  reconciliation: (query: Query) => get<Reconciliation>('/admin/api/reconciliation', query),
  report: (scope: Scope, query: Query) => get<Report>(reportBase(scope), query),

  models: () => get<{ models: AvailableModel[] }>('/api/models'),
  modelFigures: () => get<{ figures: ModelFigures[] }>('/api/models/figures'),
  applications: () => get<{ applications: Application[] }>('/api/applications'),
  apply: (model: string, reason: string) =>
    post<{ application: Application }>('/api/applications', { model, reason }),
  devices: () => get<{ devices: Device[] }>('/api/devices'),
  endDevice: (id: number) => del(`/api/devices/${id}`),
  deviceGrant: (user_code: string, typed: boolean) =>
    post<{ grant: DeviceGrant }>('/api/device/lookup', { user_code, typed }),
  decideDevice: (user_code: string, decision: 'approved' | 'denied') =>
    post('/api/device/decide', { user_code, decision }),
  connect: () => get<{ url: string; warning: string | null; settings: ClientSettings[] }>('/api/connect'),
  limits: () => get<{ caps: Cap[]; billing_group_id: number }>('/api/limits'),
  requests: () => get<{ requests: IncreaseRequest[] }>('/api/requests'),
  askForMore: (period: Cap['period'], amount_usd: number, reason: string) =>
    post<{ request: IncreaseRequest }>('/api/requests', { period, amount_usd, reason }),
  withdrawRequest: (id: number) => del<{ request: IncreaseRequest }>(`/api/requests/${id}`),
  queue: () => get<Queue>('/api/queue'),
  decideApplication: (id: number, { status, note }: Decision) =>
    put<{ application: Application }>(`/api/queue/applications/${id}`, { status, note }),
  decideRequest: (id: number, decision: Decision) =>
    put<{ request: IncreaseRequest }>(`/api/queue/requests/${id}`, decision),
  withdraw: (id: number) => del<{ application: Application }>(`/api/applications/${id}`),

  users: (query: Query) => get<{ users: AdminUser[]; total: number }>('/admin/api/users', query),
  user: (id: number) => get<{ user: AdminUser }>(`/admin/api/users/${id}`),
  createUser: (user: UserChange & Pick<User, 'itcode' | 'kind'>) =>
    post<{ user: AdminUser }>('/admin/api/users', user),
  changeUser: (id: number, change: UserChange) => put<{ user: AdminUser }>(`/admin/api/users/${id}`, change),
  deleteUser: (id: number) => del(`/admin/api/users/${id}`),
  allRequests: (query: Query) => get<{ items: QueueItem[]; total: number }>('/admin/api/queue', query),
  decideMany: (decision: Decision & { items: QueueRef[] }) =>
    post<{ outcomes: OutcomeView[] }>('/api/queue/decisions', decision),
  reopenMany: (items: QueueRef[]) => post<{ outcomes: OutcomeView[] }>('/api/queue/reopen', { items }),
  revoke: (grantId: number) => del(`/admin/api/grants/${grantId}`),
  invite: (wanted: { list: string; limit_usd: number | null }) =>
    post<MadeInvitations>('/admin/api/invitations', wanted),
  addMember: (group: number, user: number) => put(`/admin/api/groups/${group}/members/${user}`, {}),
  removeMember: (group: number, user: number) => del(`/admin/api/groups/${group}/members/${user}`),
  anyDevices: (query: Query) => get<{ devices: AnyDevice[]; total: number }>('/admin/api/devices', query),
  endAnyDevice: (id: number) => del(`/admin/api/devices/${id}`),
  groups: () => get<{ groups: CountedGroup[] }>('/admin/api/groups'),
  channels: () => get<{ channels: Channel[] }>('/admin/api/channels'),
  createChannel: (channel: ChannelChange & Pick<Channel, 'kind'>) =>
    post<{ channel: Channel }>('/admin/api/channels', channel),
  changeChannel: (id: number, change: ChannelChange) =>
    put<{ channel: Channel }>(`/admin/api/channels/${id}`, change),
  deleteChannel: (id: number) => del(`/admin/api/channels/${id}`),
  testChannel: (id: number) =>
    post<{ delivered: boolean; error: string | null }>(`/admin/api/channels/${id}/test`),
  audit: (query: Query) =>
    get<{ events: Audit[]; subjects: AuditSubject[]; total: number }>('/admin/api/audit', query),
  auditExport: (query: Query) => withQuery('/admin/api/audit/export', query),
}
