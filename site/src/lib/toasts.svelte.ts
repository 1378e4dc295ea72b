/** Short words about what was done, or why it was not. */
import { ApiError } from './api/client.ts'
import { t } from './i18n/index.svelte.ts'

export interface Toast {
  id: number
  kind: 'good' | 'bad'
  text: string
  detail?: string
}

let next = 1
const STAYS_MS = { good: 4_000, bad: 9_000 }
export const toasts = $state<Toast[]>([])

export function dismiss(id: number) {
  const at = toasts.findIndex((toast) => toast.id === id)
  if (at >= 0) toasts.splice(at, 1)
}

function show(toast: Omit<Toast, 'id'>) {
  const id = next++
  toasts.push({ id, ...toast })
  setTimeout(() => dismiss(id), STAYS_MS[toast.kind])
}

export const toast = {
  good: (text: string) => show({ kind: 'good', text }),
  /** What went wrong, in the gateway's words, with the id that an administrator can look for. */
  bad(cause: unknown) {
    const detail =
      cause instanceof ApiError && cause.requestId ? t('error.request', { id: cause.requestId }) : undefined
    show({ kind: 'bad', text: messageOf(cause), ...(detail ? { detail } : {}) })
  },
}

export function messageOf(cause: unknown): string {
  if (!(cause instanceof ApiError)) return t('error.title')
  if (cause.code === 'offline') return t('error.offline')
  return cause.message || t('error.title')
}
