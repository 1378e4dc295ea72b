/**
 * Access tokens of devices: signed texts (JWT, RFC 9068) that name a device. Whether the device is still good is read from the
 * key cache at each call; the signature is checked once per process.
 */
import { jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'
import type { Sha256 } from '../keys/mint.ts'
import type { Clock } from '../ports.ts'
import type { AuthSettings } from '../settings.ts'

const AUDIENCE = 'claude-code'
const TYPE = 'at+jwt'
/** https://www.rfc-editor.org/rfc/rfc7519#section-3: the header's JSON begins so in base64. */
const BEGINNING = 'eyJ'
const LONGEST = 4096
/** Verified tokens that are remembered: 10,000 people with two terminals, a few megabytes. */
const MOST_KNOWN = 20_000

export const ACCESS_TOKEN_MS = 3_600_000

const Claims = z.looseObject({ did: z.string().min(1), iat: z.number(), exp: z.number() })

/** What the token says beside whose it is. Claude Code puts them on its telemetry. */
interface TokenClaims {
  /** What api_keys has as the device's hash. */
  device: string
  /** A tagged id, e.g. user_12. */
  subject: string
  email: string
  name: string
  groups: readonly string[]
  /** The name of the tag that Claude Code puts its attribution into; undefined = none. */
  billingTag?: string | undefined
}

interface VerifiedToken {
  device: string
  /** ms since 1970 */
  expiresAt: number
}

export interface AccessTokens {
  /** A token for an hour from now. */
  sign(claims: TokenClaims): Promise<string>
  /** Of a token whose signature was checked before; `hash` is the token's SHA-256. */
  known(hash: string): VerifiedToken | undefined
  /** When a presented text was signed (ms since 1970); undefined where it is no token of this gateway. */
  verify(text: string): Promise<number | undefined>
}

/** `issuer` is the gateway's public address, so that no other gateway's token is taken; without one, none is. */
export function createAccessTokens({
  auth,
  issuer,
  clock,
  sha256,
}: {
  auth: AuthSettings
  issuer: string
  clock: Clock
  sha256: Sha256
}): AccessTokens {
  const keys = auth.secrets.map(derivedKey)
  const verified = new Map<string, VerifiedToken>()
  return {
    async sign({ device, subject, email, name, groups, billingTag }) {
      const now = Math.floor(clock.now() / 1000)
      const claims = { email, name, groups, did: device }
      const key = await keys[0]
      if (!key) throw new Error('there is no key to sign with')
      return new SignJWT(billingTag ? { ...claims, billing_group_tag: billingTag } : claims)
        .setProtectedHeader({ alg: 'HS256', typ: TYPE })
        .setSubject(subject)
        .setIssuer(issuer)
        .setAudience(AUDIENCE)
        .setIssuedAt(now)
        .setExpirationTime(now + ACCESS_TOKEN_MS / 1000)
        .sign(key)
    },
    known: (hash) => verified.get(hash),
    async verify(text) {
      if (issuer === '' || !text.startsWith(BEGINNING) || text.length > LONGEST) return undefined
      const claims = await claimsOf(text, { keys, issuer, now: clock.now() })
      if (!claims) return undefined
      const oldest = verified.size >= MOST_KNOWN ? verified.keys().next().value : undefined
      if (oldest !== undefined) verified.delete(oldest)
      verified.set(sha256(text), { device: claims.did, expiresAt: claims.exp * 1000 })
      return claims.iat * 1000
    },
  }
}

async function claimsOf(
  text: string,
  { keys, issuer, now }: { keys: readonly Promise<Uint8Array>[]; issuer: string; now: number },
) {
  for (const key of keys) {
    try {
      const { payload } = await jwtVerify(text, await key, {
        algorithms: ['HS256'],
        typ: TYPE,
        issuer,
        audience: AUDIENCE,
        currentDate: new Date(now),
        requiredClaims: ['sub', 'iat', 'exp', 'did'],
      })
      return Claims.safeParse(payload).data
    } catch {
      // Another secret may have signed it.
    }
  }
  return undefined
}

/** A key of its own (HKDF, RFC 5869), so that no session's token is one of a device and the reverse. */
async function derivedKey(secret: string): Promise<Uint8Array> {
  const text = new TextEncoder()
  const material = await crypto.subtle.importKey('raw', text.encode(secret), 'HKDF', false, ['deriveBits'])
  const hkdf = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: text.encode('claude-gateway'),
    info: text.encode('device tokens'),
  }
  return new Uint8Array(await crypto.subtle.deriveBits(hkdf, material, 256))
}
