/**
 * What people and channels are told of. The union is closed: an event that is not here does not compile. What is stored of an
 * event names rows by their ids, so that a message is made of what they say when it is sent; it never holds a secret or a prompt.
 */
import { parsedJson } from '../json/parse.ts'
import type { Period } from '../settings.ts'

/** Shares of a limit, in percent, whose crossing is told. */
export const THRESHOLDS = [50, 80, 100] as const

export interface NoticeData {
  /** Somebody applied for a model: an id of applications. */
  'application.made': { id: number }
  'application.decided': { id: number }
  /** Somebody asked for a higher limit: an id of increase_requests. */
  'increase.made': { id: number }
  'increase.decided': { id: number }
  /** `owner`: user:7, group:3 or organisation:0. `start`, `limit_micros`: the period's first ms, and the limit when it was crossed. */
  'limit.reached': {
    owner: string
    period: Period
    start: number
    threshold: (typeof THRESHOLDS)[number]
    limit_micros: number
  }
  /** An API key ends soon: an id of api_keys. */
  'key.ending': { id: number }
  /** A backend, or the account behind it, takes no calls; `reason` is the gateway's own word for why. */
  'backend.out': { backend: string; state: 'disabled' | 'ejected'; reason: string }
  'backend.back': { backend: string }
  /** The account behind a backend has no credit left. */
  'credit.used_up': { backend: string }
  /** `retires_at`: ms since 1970. `user_ids`: who used it in the last 30 days. */
  'model.retiring': { model: string; retires_at: number; user_ids: readonly number[] }
  /** So many people were refused by the directory at once that pausing them was stopped. */
  'people.paused': { count: number }
  /** A sign-in method was joined to an account. */
  'identity.joined': { user_id: number; issuer: string }
  /** Two programs seem to use the sign-in of a device: an id of api_keys, and the address of the second. */
  'device.copied': { id: number; ip: string; reason: 'new_address' | 'replaced_token' }
}

export type NoticeEvent = keyof NoticeData

/** All of them, in the order in which they are listed; who is told of each by mail is in core/notices/audience.ts. */
const EVENTS: Record<NoticeEvent, true> = {
  'application.made': true,
  'application.decided': true,
  'increase.made': true,
  'increase.decided': true,
  'limit.reached': true,
  'key.ending': true,
  'backend.out': true,
  'backend.back': true,
  'credit.used_up': true,
  'model.retiring': true,
  'people.paused': true,
  'identity.joined': true,
  'device.copied': true,
}
// The cast holds because the type of the constant names exactly its keys.
export const NOTICE_EVENT_NAMES = Object.keys(EVENTS) as [NoticeEvent, ...NoticeEvent[]]

/** What a channel may take; `audit`, which is for webhooks, is every event of the audit. */
export const CHANNEL_EVENTS = [...NOTICE_EVENT_NAMES, 'audit'] as const
export type ChannelEvent = (typeof CHANNEL_EVENTS)[number]

/** The events in a stored list; those of another release are left out. */
export function parseChannelEvents(text: string): ChannelEvent[] {
  const names: unknown = parsedJson(text)
  return CHANNEL_EVENTS.filter((name) => Array.isArray(names) && names.includes(name))
}
