/** The headers that tell browsers how little they may do with an answer. */
import type { HeaderPairs } from '../ports.ts'

const NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"

/** For all that the gateway says itself, but for pages, which have a content-security-policy of their own. */
export const GUARDS: HeaderPairs = [
  ['content-security-policy', NO_CONTENT],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'same-origin'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['permissions-policy', 'camera=(), microphone=(), geolocation=(), payment=(), usb=()'],
]

/** For what somebody else wrote: should a browser show it all the same, it is a page of no origin, without scripts. */
export const RELAYED_GUARDS: HeaderPairs = GUARDS.map(([name, value]) => [
  name,
  value === NO_CONTENT ? `${NO_CONTENT}; sandbox` : value,
])

/** Media types that no browser runs anything of. */
const INERT =
  /^(application\/(json|x-ndjson|jsonl|x-jsonlines|octet-stream|pdf|zip)|text\/(event-stream|plain|csv)|image\/(png|jpeg|gif|webp))$/

/** Whether a browser could run what is in a body of this content-type. A body without one could be anything. */
export function isActive(contentType: string | undefined): boolean {
  const [type = ''] = (contentType ?? '').split(';')
  return !INERT.test(type.trim().toLowerCase())
}
