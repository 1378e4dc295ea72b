/** Short words about what was done, or why it was not. */
import { ApiError } from './api/client.ts'
import { messageOf, requestIdOf, type Situation } from './errors.ts'
import { t } from './i18n/index.svelte.ts'

export interface Toast {
  id: number
  kind: 'good' | 'bad'
  text: string
  detail?: string
  undo?: () => Promise<unknown>
}

let next = 1
const STAYS_MS = { good: 4_000, bad: 9_000 }
const UNDO_MS = 12_000
export const toasts = $state<Toast[]>([])

export function dismiss(id: number) {
  const at = toasts.findIndex((toast) => toast.id === id)
  if (at >= 0) toasts.splice(at, 1)
}

function show(toast: Omit<Toast, 'id'>) {
  const id = next++
  toasts.push({ id, ...toast })
  setTimeout(() => dismiss(id), toast.undo ? UNDO_MS : STAYS_MS[toast.kind])
}

export const toast = {
  good: (text: string) => show({ kind: 'good', text }),
  /** Something that was done to many at once, and can be taken back for a while. */
  undoable: (text: string, undo: () => Promise<unknown>) => show({ kind: 'good', text, undo }),
  /** What did not work, where nothing was wrong with the gateway. */
  told: (text: string) => show({ kind: 'bad', text }),
  /** What went wrong, with the id that an administrator can look for where it was nobody's doing. */
  bad(cause: unknown, situation?: Situation) {
    // The sign-in page says it.
    if (cause instanceof ApiError && cause.code === 'not_signed_in') return
    const id = requestIdOf(cause)
    show({
      kind: 'bad',
      text: messageOf(cause, situation),
      ...(id ? { detail: t('error.request', { id }) } : {}),
    })
  },
}
