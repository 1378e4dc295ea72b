/** What a language has to say of the audit. An action or field without its words does not compile. */
import type { AuditAction, AuditField } from '../../../../core/audit/action.ts'

/** Sentences that say more than their action, because of what changed. */
type Special =
  | `amount.${'raised' | 'lowered' | 'set' | 'lifted' | 'unset' | 'temporary' | 'temporary_over'}`
  | `budget.${'raised' | 'lowered' | 'set' | 'unset'}`
  | `user.${'disabled' | 'enabled' | 'role'}`
  | `backend.${'on' | 'off' | 'weight'}`
  | 'renamed'
  | 'usage.everybody'

/** Its slots: {who}, {target}, {person}, {from}, {to}, {period}, {model}, and each field of the row. */
export type Sentence = string | { one?: string; other: string }

export interface AuditWords {
  system: string
  somebody: string
  program: string
  nobody: string
  link: string
  unknown: string
  of: string
  list: string
  none: string
  unlimited: string
  configured: string
  never: string
  yes: string
  no: string
  /** A change: {from} and {to}. */
  was: string
  sentences: Record<AuditAction, Sentence>
  special: Record<Special, string>
  fields: Record<AuditField, string>
  /** Words that rows hold in place of text. */
  values: Readonly<Record<string, string>>
  /** Of whom a limit is; {name} is a person or a group. */
  scopes: Readonly<Record<string, string>>
  /** Kinds of targets, with their colon. */
  kinds: Readonly<Record<string, string>>
}
