/** Routes about the backends and the accounts behind them. */
import type { Step } from '../../../../core/backends/try-out.ts'
import type { BackendView } from '../../../../functions/backend-views.ts'
import { del, get, post, put, type Query } from './client.ts'

export type Backend = BackendView
export type TriedStep = Step
export interface Backends {
  backends: Backend[]
  unused: { name: string; problem: string }[]
  can_add: boolean
}
export interface BackendStats {
  backend: string
  requests: number
  total_tokens: number
  cost_usd: number
  avg_latency_ms: number
  p95_latency_ms: number
  error_count: number
}
type BackendSettings = Readonly<Record<string, unknown>>

const PATH = '/admin/api/backends'
const pathOf = (name: string) => `${PATH}/${encodeURIComponent(name)}`

export const backendsApi = {
  all: () => get<Backends>(PATH),
  stats: (query: Query = {}) => get<{ stats: BackendStats[] }>(`${PATH}/stats`, query),
  settings: (name: string) => get<{ settings: BackendSettings }>(`${pathOf(name)}/settings`),
  add: (settings: BackendSettings) => post<{ backend: Backend }>(PATH, settings),
  change: (name: string, change: BackendSettings) => put<{ backend: Backend }>(pathOf(name), change),
  remove: (name: string) => del(pathOf(name)),
  testSettings: (settings: BackendSettings) => post<{ steps: TriedStep[] }>(`${PATH}/test`, settings),
  testChange: (name: string, change: BackendSettings) =>
    post<{ steps: TriedStep[] }>(`${pathOf(name)}/test-change`, change),
  test: (name: string) => post<{ steps: TriedStep[] }>(`${pathOf(name)}/test`),
  check: (name: string) => post<{ backend: Backend }>(`${pathOf(name)}/check`),
}
