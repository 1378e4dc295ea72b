/**
 * Which headers travel, in each direction: one list for every transport, so that no driver can forget one.
 * Both directions name what passes; anything else stays here (core/calls/PROTOCOL.md, Request headers, Response headers).
 */
import { isActive, RELAYED_GUARDS } from '../http/guards.ts'
import { mediaTypeOf } from '../http/headers.ts'
import type { HeaderPairs } from '../ports.ts'

const DEFAULT_VERSION = '2023-06-01'

const TO_UPSTREAM = new Set(['accept', 'content-type', 'user-agent', 'x-app', 'traceparent', 'tracestate'])
const TO_UPSTREAM_PREFIXES = ['anthropic-', 'x-stainless-', 'x-claude-code-', 'x-claude-1p-']
/** Never sent, because they choose whom the upstream bills, which is not the caller's to decide. */
const NEVER_TO_UPSTREAM = new Set(['anthropic-workspace-id', 'anthropic-user-profile-id'])

const TO_CLIENT = new Set([
  'content-type',
  // The bytes do not change on the way, so neither does their number.
  'content-length',
  'content-encoding',
  'cache-control',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
])
/** Never shown: limits and name of the organisation that all callers share. */
const NEVER_TO_CLIENT = [
  'anthropic-ratelimit-',
  'anthropic-priority-',
  'anthropic-fast-',
  'anthropic-organization-id',
]

/** The caller's headers as the upstream may see them; the credential is added per backend. */
export function upstreamHeaders(from: Iterable<readonly [string, string]>): HeaderPairs {
  const theirs: HeaderPairs = []
  let hopByHop: readonly string[] | undefined
  let version: string | undefined
  for (const [name, value] of from) {
    if (name === 'connection') hopByHop = namesIn(value)
    if (!mayGoUpstream(name)) continue
    if (name === 'anthropic-version') version ??= firstOf(value)
    else theirs.push([name, value])
  }
  const to = endToEnd(theirs, hopByHop)
  to.push(['accept-encoding', 'identity'], ['anthropic-version', version ?? DEFAULT_VERSION])
  return to
}

/** The first of the values that a repeated header has; undefined for an empty one. Runtimes join them with commas. */
function firstOf(value: string): string | undefined {
  return value
    .split(',')
    .map((one) => one.trim())
    .find((one) => one !== '')
}

function mayGoUpstream(name: string): boolean {
  if (TO_UPSTREAM.has(name)) return true
  return TO_UPSTREAM_PREFIXES.some((prefix) => name.startsWith(prefix)) && !NEVER_TO_UPSTREAM.has(name)
}

/**
 * The upstream's headers as the client may see them, with the guards of every answer. The upstream's own request id
 * stays findable under another name. What a browser could run is only ever downloaded.
 */
export function clientHeaders(from: HeaderPairs, requestId: string): HeaderPairs {
  const theirs: HeaderPairs = []
  let hopByHop: readonly string[] | undefined
  for (const [name, value] of from) {
    if (name === 'connection') hopByHop = namesIn(value)
    if (name === 'request-id') theirs.push(['x-upstream-request-id', value])
    if (mayGoToClient(name)) theirs.push([name, value])
  }
  const to = endToEnd(theirs, hopByHop)
  const type = mediaTypeOf(from)
  if (type === 'text/event-stream') {
    if (!to.some(([name]) => name === 'cache-control')) to.push(['cache-control', 'no-cache'])
    to.push(['x-accel-buffering', 'no'])
  } else if (isActive(type)) to.push(['content-disposition', 'attachment'])
  to.push(['request-id', requestId], ['x-request-id', requestId], ...RELAYED_GUARDS)
  return to
}

function mayGoToClient(name: string): boolean {
  if (TO_CLIENT.has(name)) return true
  return name.startsWith('anthropic-') && !NEVER_TO_CLIENT.some((prefix) => name.startsWith(prefix))
}

/** Without those of one hop. What the gateway adds comes afterwards, because nobody's `connection` may take away a guard. */
function endToEnd(theirs: HeaderPairs, hopByHop: readonly string[] | undefined): HeaderPairs {
  return hopByHop ? theirs.filter(([name]) => !hopByHop.includes(name)) : theirs
}

/** Header names that `connection` declares to be of this hop only (https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1). */
function namesIn(connection: string): string[] | undefined {
  if (connection === 'keep-alive' || connection === 'close') return undefined
  return connection.split(',').map((name) => name.trim().toLowerCase())
}
