/** What a field of a row holds, in words: dollars, times and names instead of numbers. */
import type { AuditSubject } from '../../../../functions/audit.ts'
import type { AuditWords } from './words.ts'

/** How the reader's language writes things. */
interface Format {
  locale: string
  money: (usd: number) => string
  whole: (value: number) => string
  time: (text: string) => string
  /** Why a backend is out. */
  reason: (text: string) => string
}
export interface Language {
  words: AuditWords
  format: Format
  subjects: ReadonlyMap<string, AuditSubject>
}

const KINDS: ReadonlyMap<string, string> = new Map([
  ['user_id', 'user'],
  ['actor', 'user'],
  ['about', 'user'],
  ['added', 'user'],
  ['removed', 'user'],
  ['key_id', 'key'],
  ['billing_group_id', 'group'],
  ['directory_group_id', 'group'],
  ['parent_id', 'group'],
  ['group_ids', 'group'],
])
/** 0 is no limit. */
const OPEN_AT_0 = new Set([
  'quota_tokens',
  'budget_usd',
  'requests_per_minute',
  'tokens_per_minute',
  'concurrent_requests',
])
/** Fields of which the values are words of ours and not what somebody typed. */
const CODED = new Set([
  'role',
  'status',
  'disabled_by',
  'kind',
  'group_role',
  'period',
  'source',
  'channel_kind',
  'language',
])

/** Nothing that is worth telling of something new. */
export function isBlank(name: string, value: unknown): boolean {
  if (value === null || value === undefined || value === '' || value === false) return true
  if (name === 'status') return value !== 'disabled'
  return value === 0 ? OPEN_AT_0.has(name) || name === 'sessions' : Array.isArray(value) && value.length === 0
}

export function valueText(name: string, value: unknown, language: Language): string {
  const { words, format } = language
  if (value === null || value === undefined) return absent(name, words)
  if (Array.isArray(value)) {
    if (value.length === 0) return words.none
    if (name === 'keys') return format.whole(value.length)
    return value.map((one) => valueText(name, one, language)).join(words.list)
  }
  if (typeof value === 'boolean') return value ? words.yes : words.no
  if (typeof value === 'number') return numberText(name, value, language)
  if (typeof value === 'object') return Object.keys(value).join(words.list) || words.none
  const text = String(value)
  if (/_(at|until)$/.test(name)) return format.time(text)
  if (name === 'reason') return words.values[text] ?? format.reason(text)
  return CODED.has(name) ? (words.values[text] ?? text) : text
}

function absent(name: string, words: AuditWords): string {
  if (name === 'expires_at' || name === 'granted_until') return words.never
  if (name === 'amount_usd') return words.unlimited
  return /^(requests_per_minute|tokens_per_minute|concurrent_requests)$/.test(name)
    ? words.configured
    : words.none
}

function numberText(name: string, value: number, { words, format, subjects }: Language): string {
  if (value === 0 && OPEN_AT_0.has(name)) return words.unlimited
  if (name.endsWith('_usd')) return format.money(value)
  const kind = KINDS.get(name)
  return kind ? (subjects.get(`${kind}:${value}`)?.name ?? `#${value}`) : format.whole(value)
}
