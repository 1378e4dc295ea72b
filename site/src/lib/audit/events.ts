/** A page of the audit, in the reader's words. */
import type { Query } from '../api/client.ts'
import { type Audit, api } from '../api/index.ts'
import { reasonText } from '../backends/reason.ts'
import { dateTime, money, whole } from '../format.ts'
import { i18n } from '../i18n/index.svelte.ts'
import { auditWords } from './language.ts'
import { type Told, toldOf } from './sentence.ts'

export type ToldEvent = Audit & { told: Told }

export async function auditEvents(query: Query): Promise<{ rows: ToldEvent[]; total: number }> {
  const [{ events, subjects: named, total }, words] = await Promise.all([
    api.audit(query),
    auditWords(i18n.locale),
  ])
  const subjects = new Map(named.map((one) => [one.ref, one]))
  const format = { locale: i18n.locale, money, whole, time: dateTime, reason: reasonText }
  return {
    rows: events.map((event) => ({ ...event, told: toldOf(event, { words, format, subjects }) })),
    total,
  }
}
