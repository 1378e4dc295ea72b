/** What was typed, kept in this tab while somebody signs in again: never a secret. */
import type { Draft, Part } from './draft.ts'

const KEPT = 'backend-draft'
/** Addresses may have a user and a password. */
const ADDRESSES = ['url', 'proxy'] as const

export interface KeptDraft {
  /** Whose it is. */
  user: number
  /** The stored backend that is changed; undefined for a new one. */
  name: string | undefined
  draft: Draft
  /** What has to be typed again. */
  again: Part[]
}

export function keepDraft({ user, name, draft }: Omit<KeptDraft, 'again'>) {
  const { secrets } = draft
  const isTyped: Record<Part, boolean> = {
    proof: Object.entries(secrets).some(([field, text]) => !OTHER.has(field) && text !== ''),
    admin_key: secrets.admin_key !== '',
    headers: secrets.headers !== '',
    proxy: draft.proxy.includes('@'),
  }
  const again = (Object.keys(isTyped) as Part[]).filter((part) => isTyped[part]) // it has them all
  const empty = Object.fromEntries(Object.keys(secrets).map((field) => [field, '']))
  const addresses = ADDRESSES.map((field) => [field, draft[field].includes('@') ? '' : draft[field]])
  const kept = { user, name, again, draft: { ...draft, ...Object.fromEntries(addresses), secrets: empty } }
  sessionStorage.setItem(KEPT, JSON.stringify(kept))
}
const OTHER: ReadonlySet<string> = new Set(['admin_key', 'headers'])

/** Once: it is gone then. Undefined where there is none of this person. */
export function takeDraft(user: number): KeptDraft | undefined {
  const text = sessionStorage.getItem(KEPT)
  sessionStorage.removeItem(KEPT)
  if (!text) return undefined
  const kept = JSON.parse(text) as KeptDraft // written above
  return kept.user === user ? kept : undefined
}
