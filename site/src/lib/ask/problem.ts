/** What went wrong with a call from a page, in the reader's language. */
import { messageOf } from '../errors.ts'
import { has, i18n, t } from '../i18n/index.svelte.ts'
import { StreamError } from './answer.ts'
import { CallRefused } from './ask.ts'

/** What Claude itself says stands in its own words behind the type of the error. */
export function callProblem(cause: unknown): string {
  if (cause instanceof StreamError) {
    return t('ask.broke_off', { reason: ofKind(cause.kind, cause.message || t('ask.connection')) })
  }
  if (!(cause instanceof CallRefused)) return messageOf(cause, { conflict: 'ask.no_room' })
  if (cause.kind !== undefined) return ofKind(cause.kind, cause.message)
  // The gateway's own sentence is English, and tells more: which model, which limit, and until when.
  return i18n.locale === 'en' ? cause.message : messageOf(cause)
}

function ofKind(kind: string, sentence: string): string {
  const key = `ask.kind.${kind}`
  // What stands before the gateway may say nothing but that it failed.
  return has(key) ? t(key, { reason: sentence }) : sentence || t('error.unexpected')
}
