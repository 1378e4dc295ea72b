/** Schemas for values such as durations, URLs and networks. Their messages do not repeat the value. */
import * as z from 'zod'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../core/units.ts'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }
const LONGEST_MS = 3650 * DAY_MS
/** setTimeout fires at once for longer delays: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1

const NO_DURATION = 'a duration such as 500ms, 30s, 5m, 2h or 1d, up to 10 years, is expected'

/** '500ms', '30s', '5m', '2h', '1d' or a number of seconds, parsed to ms. */
const durationOrNone = z
  .union([z.number(), z.string()], { error: NO_DURATION })
  .transform((value, context) => {
    const [, amount, unit] = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d)?$/.exec(String(value).trim()) ?? []
    const ms = Math.round(Number(amount) * (UNITS[unit ?? 's'] ?? Number.NaN))
    if (ms <= LONGEST_MS) return ms
    context.addIssue({ code: 'custom', message: NO_DURATION })
    return z.NEVER
  })
const fitsTimer = (ms: number) => ms <= LONGEST_TIMER_MS
const NO_TIMER = 'at most 24 days are expected'

/** As `durationOrNone`, above 0. */
export const duration = durationOrNone.refine((ms) => ms > 0, NO_DURATION)

/** A duration for timers, at most LONGEST_TIMER_MS. */
export const wait = duration.refine(fitsTimer, NO_TIMER)

/** The same, or 0 for none. */
export const waitOrNone = durationOrNone.refine(fitsTimer, NO_TIMER)

/** US dollars. Less than a micro-dollar is refused, because it would round to 0, which means no limit. */
export const dollars = z
  .number()
  .min(0)
  .max(1e9)
  .refine((usd) => usd <= 0 || usd >= 0.000_001, '0 or at least 0.000001 is expected')

const SIZES: Readonly<Record<string, number>> = { KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 }
const LARGEST_SIZE = 2 ** 40
const NO_SIZE = 'a size such as 256MB, or a number of bytes, of at least 1MB is expected'

/** '2048KB', '256MB', '2GB' or a number of bytes, parsed to bytes; at least 1 MiB. KB is 1,024 bytes. */
export const size = z.union([z.number(), z.string()], { error: NO_SIZE }).transform((value, context) => {
  const [, amount, unit = ''] = /^(\d{1,15})\s?(KB|MB|GB)?$/i.exec(String(value).trim()) ?? []
  const bytes = Number(amount) * (SIZES[unit.toUpperCase()] ?? 1)
  if (bytes >= 2 ** 20 && bytes <= LARGEST_SIZE) return bytes
  context.addIssue({ code: 'custom', message: NO_SIZE })
  return z.NEVER
})

/** Link-local addresses and the metadata services of clouds, which hand out the machine's credentials. */
const METADATA =
  /^(169\.254\.|100\.100\.100\.200$|\[fe[89ab]|\[fd00:ec2::254\]|\[(::|::ffff:|64:ff9b::)(a9fe:|6464:64c8\])|metadata(\.google\.internal)?\.?$)/i
/** Paths of requests, which the gateway itself appends to the base URL. */
const REQUEST_PATH = /\/+v1(\/+(messages(\/.*)?|models|complete|chat\/completions|responses))?\/*$/i
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/i
const NO_ITCODE = 'an account name or an e-mail address is expected'
const NO_URL = 'an address that begins with https:// or http:// is expected'

function parsedUrl(text: string, protocols = /^https?:$/): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url && protocols.test(url.protocol) ? url : undefined
}

/**
 * The host is read as that of an http address, because only there does the standard make one notation of all that name an
 * IPv4 address, such as 0xa9fea9fe: https://url.spec.whatwg.org/#concept-host-parser
 */
function isMetadata({ hostname }: URL): boolean {
  const read = `http://${hostname}`
  return !URL.canParse(read) || METADATA.test(new URL(read).hostname)
}

/** A text for which `check` returns a message if it is not valid. */
function address(check: (text: string) => string | undefined) {
  return z.string({ error: 'an address is expected' }).superRefine((text, context) => {
    const message = check(text)
    if (message) context.addIssue({ code: 'custom', message })
  })
}

/** The base URL of an upstream; slashes at its end are removed. */
export const upstreamUrl = address((text) => {
  const url = parsedUrl(text)
  if (!url) return NO_URL
  if (url.username || url.password) return 'an address without credentials is expected; use api_key'
  if (/[?#]/.test(text)) return 'an address without ? and # is expected'
  if (REQUEST_PATH.test(url.pathname)) {
    return 'an address without /v1 at its end is expected, such as https://api.anthropic.com: /v1/messages is put behind it'
  }
  if (isMetadata(url)) return 'link-local and metadata addresses are not allowed'
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    return 'https is expected outside this machine'
  return undefined
}).transform((text) => {
  const { origin, pathname } = new URL(text)
  return origin + pathname.replace(/\/+$/, '')
})

const UNREADABLE = 'user and password with %25 for each % are expected'

/** Whether user and password can be read, which a % of their own prevents. */
function isReadable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password)
    return true
  } catch {
    return false
  }
}

/** The URL of a proxy, which may have a user and a password. */
export const proxyUrl = address((text) => {
  const url = parsedUrl(text, /^(https?|socks5):$/)
  if (!url) return 'an address that begins with http://, https:// or socks5:// is expected'
  if (!/^\/?$/.test(url.pathname) || url.search || url.hash) return 'an address without a path is expected'
  if (!isReadable(url)) return UNREADABLE
  return isMetadata(url) ? 'link-local and metadata addresses are not allowed' : undefined
})

/** The issuer of a provider of sign-ins, unchanged, because providers compare it letter by letter. */
export const providerUrl = address((text) => {
  const url = parsedUrl(text)
  if (!url) return NO_URL
  if (url.username || url.password || /[?#]/.test(text)) {
    return 'an address without credentials, ? and # is expected'
  }
  if (isMetadata(url)) return 'link-local and metadata addresses are not allowed'
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    return 'https is expected outside this machine'
  return undefined
})

/** Where an LDAP server is; undefined for what is no address of one. */
export function ldapAddress(text: string): URL | undefined {
  const url = parsedUrl(text, /^ldaps?:$/)
  if (!url?.hostname || url.username || url.password) return undefined
  return /[?#]/.test(text) || !/^\/?$/.test(url.pathname) ? undefined : url
}

/** The URL of an LDAP server, or ''. */
export const ldapUrl = address((text) =>
  text === '' || ldapAddress(text) ? undefined : 'an address such as ldaps://ldap.example.com is expected',
)

/** The origin of the gateway: scheme, host and port; or ''. */
export const originUrl = address((text) => {
  const url = parsedUrl(text)
  if (text === '') return undefined
  if (!url) return NO_URL
  if (url.username || url.password || /[?#]/.test(text) || url.pathname !== '/') {
    return 'an address with nothing after the host is expected, such as https://gateway.example.com'
  }
  return undefined
}).transform((text) => (text === '' ? '' : new URL(text).origin))

/** The origin of pages, as browsers and what is built on them send it, such as chrome-extension://abc. */
export const pageOrigin = z
  .string()
  .regex(
    /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+\/?$/i,
    'an origin with nothing after the host is expected, such as https://app.example.com',
  )
  .transform((text) => (parsedUrl(text) ? new URL(text).origin : text.toLowerCase().replace(/\/$/, '')))

/** An http(s) URL, unchanged, or ''. Nothing is sent to one with credentials, and the error that says so has them in it. */
export const optionalUrl = address((text) => {
  if (text === '') return undefined
  const url = parsedUrl(text)
  if (!url) return NO_URL
  return url.username || url.password ? 'an address without credentials is expected' : undefined
})

/** The base URL of a collector, without slashes at its end, or ''. */
export const collectorUrl = address((text) => {
  if (text === '') return undefined
  const url = parsedUrl(text)
  if (!url) return NO_URL
  if (url.username || url.password) return 'an address without credentials is expected; use headers'
  if (/[?#]/.test(text)) return 'an address without ? and # is expected'
  if (/\/v1\/(traces|metrics|logs)\/*$/.test(url.pathname)) {
    return 'an address without /v1/traces is expected, such as http://localhost:4318: that is put behind it'
  }
  return undefined
}).transform((text) => text.replace(/\/+$/, ''))

/** The URL of a libSQL server, or ''. */
export const databaseUrl = address((text) => {
  if (text === '') return undefined
  const url = parsedUrl(text, /^(libsql|https?|wss?):$/)
  if (!url) return 'an address that begins with libsql://, https:// or http:// is expected'
  if (url.username || url.password || url.searchParams.has('authToken')) {
    return 'an address without credentials is expected; use auth_token'
  }
  return undefined
})

/** The URL of Redis, which may contain its password, or ''. */
export const redisUrl = address((text) => {
  if (text === '') return undefined
  const url = parsedUrl(text, /^rediss?:$/)
  if (!url) return 'an address that begins with redis:// or rediss:// is expected'
  return isReadable(url) ? undefined : UNREADABLE
})

/** A network such as 10.0.0.0/8 or fd00::/8, or a single address. */
export const network = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
  error: 'a network such as 10.0.0.0/8 is expected',
})

/** An account name or ''. The rule repeats core/auth/account.ts, because config may import only types from there. */
export const itcode = z
  .string()
  .normalize('NFKC')
  .trim()
  .toLowerCase()
  .max(254, NO_ITCODE)
  .regex(/^([\p{L}\p{N}._+-]+(@[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*)?)?$/u, NO_ITCODE)

/** The name of a model or a glob. The rule repeats core/models/name.ts. */
export const modelName = z
  .string()
  .min(1)
  .max(256)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  .regex(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]*$/, 'control characters are not allowed')

/** The URL of an MCP server; * stands for any text in its host or path, and alone for every server. */
export const serverPattern = z
  .string()
  .regex(/^(\*|https?:\/\/[^\s/@]+(\/\S*)?)$/, 'an address such as https://mcp.example.com/* is expected')

const rate = z.number().min(0).max(1e6)
/** Dollars per million tokens. */
export const price = z.strictObject({
  model: modelName,
  effective_from: z.iso.date().optional(),
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
})
