/** Where the pages of one request and of one session are: one's own, and everybody's. */
import type { Scope } from '../api/index.ts'

export const usageHref = (scope: Scope) => (scope === 'own' ? '/usage' : '/admin/usage')

export function requestHref(scope: Scope, id: string): string {
  return `${usageHref(scope)}/requests/${encodeURIComponent(id)}`
}

export function sessionHref(scope: Scope, id: string): string {
  return `${usageHref(scope)}/sessions/${encodeURIComponent(id)}`
}
