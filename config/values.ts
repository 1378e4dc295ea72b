/** The kinds of values that configuration knows: durations, addresses, secrets, networks. */
import * as z from 'zod'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const LONGEST_MS = 3650 * 86_400_000

/** '500ms', '30s', '5m', '2h', '1d' or a number of seconds; in ms afterwards. */
export const duration = z
  .union([z.number(), z.string()], { error: 'a duration such as 30s, 5m or 2h is expected' })
  .transform((value, context) => {
    const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(String(value).trim()) ?? []
    const ms = Math.round(Number(amount) * (UNITS[unit ?? 's'] ?? Number.NaN))
    if (ms > 0 && ms <= LONGEST_MS) return ms
    context.addIssue({
      code: 'custom',
      message: 'a duration such as 30s, 5m or 2h, up to 10 years, is expected',
    })
    return z.NEVER
  })

const PLACEHOLDER = /change.?me|your[-_. ]|placeholder|example|^secret|^x{3,}|<.*>|\bxxx|sk-ant-\.\.\./i
export const SHORTEST_SECRET = 32

/** Something secret that is no placeholder. */
export const secret = z
  .string({ error: 'a text is expected' })
  .refine((text) => !PLACEHOLDER.test(text), 'a real secret is expected, not a placeholder')

/** A secret that signs: long, and not one character over and over. */
export const signingSecret = secret
  .refine((text) => text.length >= SHORTEST_SECRET, `at least ${SHORTEST_SECRET} characters are expected`)
  .refine((text) => new Set(text).size >= 8, 'a secret with more variety is expected')

/** Link-local addresses and the names by which clouds give out their machines' credentials. */
const METADATA = /^(169\.254\.|\[fe[89ab]|\[fd00:ec2::254\]|metadata\.|\[::ffff:(a9fe|169\.254))/i
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/i

function parsedUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/** The base address of an upstream, without a slash at its end. */
export const upstreamUrl = z
  .string({ error: 'an address is expected' })
  .superRefine((text, context) => {
    const problem = upstreamProblem(parsedUrl(text))
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })
  .transform((text) => text.replace(/\/+$/, ''))

function upstreamProblem(url: URL | undefined): string | undefined {
  if (!url || !/^https?:$/.test(url.protocol)) return 'an http or https address is expected'
  if (url.username || url.password) return 'no credentials may stand in the address; use api_key'
  if (url.hash || url.search) return 'an address without ? and # is expected'
  if (METADATA.test(url.hostname)) return 'this address is not allowed'
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname))
    return 'https is expected outside this machine'
  return undefined
}

/** An http(s) address, or nothing. */
export const optionalUrl = z
  .string({ error: 'an address is expected' })
  .refine(
    (text) => text === '' || /^https?:$/.test(parsedUrl(text)?.protocol ?? ''),
    'an http or https address is expected',
  )
  .transform((text) => text.replace(/\/+$/, ''))

/** The address of a libSQL server, or nothing. */
export const databaseUrl = z
  .string({ error: 'an address is expected' })
  .refine(
    (text) => text === '' || /^(libsql|https?|wss?):$/.test(parsedUrl(text)?.protocol ?? ''),
    'an address that begins with libsql://, https:// or http:// is expected',
  )

/** 10.0.0.0/8 or fd00::/8, or a single address. */
export const network = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
  error: 'a network such as 10.0.0.0/8 is expected',
})
