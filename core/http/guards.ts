/** Headers that restrict what browsers may do with an answer. */
import type { HeaderPairs } from '../ports.ts'

const NO_CONTENT = "default-src 'none'; frame-ancestors 'none'"

/** For the gateway's own answers. Pages replace the content-security-policy. */
export const GUARDS: HeaderPairs = [
  ['content-security-policy', NO_CONTENT],
  ['x-content-type-options', 'nosniff'],
  ['referrer-policy', 'same-origin'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
  ['permissions-policy', 'camera=(), microphone=(), geolocation=(), payment=(), usb=()'],
]

/** For answers of an upstream. `sandbox` gives them an opaque origin and no scripts, should a browser show one as a page. */
export const RELAYED_GUARDS: HeaderPairs = GUARDS.map(([name, value]) => [
  name,
  value === NO_CONTENT ? `${NO_CONTENT}; sandbox` : value,
])

/** Media types whose content no browser executes. */
const INERT =
  /^(application\/(json|x-ndjson|jsonl|x-jsonlines|octet-stream|pdf|zip)|text\/(event-stream|plain|csv)|image\/(png|jpeg|gif|webp))$/

/** Whether a browser might execute a body of this content-type; true if there is none. */
export function isActive(contentType: string | undefined): boolean {
  const [type = ''] = (contentType ?? '').split(';')
  return !INERT.test(type.trim().toLowerCase())
}
