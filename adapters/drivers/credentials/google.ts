/** Tokens of Google for a service account: https://developers.google.com/identity/protocols/oauth2/service-account */
import { importPKCS8, SignJWT } from 'jose'
import * as z from 'zod'
import type { Credentials } from '../../../core/backends/credentials.ts'
import type { Clock } from '../../../core/ports.ts'
import { type CredentialsParts, createRenewed, type Proof } from './renewed.ts'

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const GRANT_SECONDS = 3600
const TIMEOUT_MS = 10_000

/** The file that Google gives for a key of a service account. */
export const serviceAccount = z.looseObject({
  type: z.literal('service_account'),
  client_email: z.string().min(1),
  private_key: z.string().min(1),
  private_key_id: z.string().optional(),
  token_uri: z.url({ protocol: /^https?$/ }).default('https://oauth2.googleapis.com/token'),
})
type ServiceAccount = z.output<typeof serviceAccount>

const Token = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() })

export interface GoogleParts extends CredentialsParts {
  /** A key, or where tokens come from. */
  account: ServiceAccount | (() => Promise<Proof<string>>)
}

export function createGoogleCredentials({ account, ...parts }: GoogleParts): Credentials {
  const obtain = typeof account === 'function' ? account : () => tokenFor(account, parts.clock)
  const renewed = createRenewed(parts, obtain, (token) => [token])
  const header = (token: string): [string, string][] => [['authorization', `Bearer ${token}`]]
  return {
    headers() {
      const token = renewed.current()
      return token instanceof Promise ? token.then(header) : header(token)
    },
    secrets: renewed.secrets,
    renew: renewed.renew,
  }
}

async function tokenFor(account: ServiceAccount, clock: Clock): Promise<Proof<string>> {
  const now = Math.floor(clock.now() / 1000)
  const key = await importPKCS8(account.private_key, 'RS256')
  const assertion = await new SignJWT({ scope: SCOPE })
    .setProtectedHeader({
      alg: 'RS256',
      typ: 'JWT',
      ...(account.private_key_id === undefined ? {} : { kid: account.private_key_id }),
    })
    .setIssuer(account.client_email)
    .setAudience(account.token_uri)
    .setIssuedAt(now)
    .setExpirationTime(now + GRANT_SECONDS)
    .sign(key)
  const answer = await fetch(account.token_uri, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: GRANT, assertion }).toString(),
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (answer.status !== 200) throw new Error(`the token address answered ${answer.status}`)
  const { access_token, expires_in } = Token.parse(await answer.json())
  return { value: access_token, expiresAt: clock.now() + expires_in * 1000 }
}
