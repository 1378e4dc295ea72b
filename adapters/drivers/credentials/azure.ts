/** Tokens of Microsoft Entra for an application: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
import * as z from 'zod'
import type { Credentials } from '../../../core/backends/credentials.ts'
import { type CredentialsParts, createRenewed, type Proof } from './renewed.ts'

export const AUTHORITY = 'https://login.microsoftonline.com'
/** As Anthropic's client for Foundry asks for it. */
export const SCOPE = 'https://ai.azure.com/.default'
const TIMEOUT_MS = 10_000

/** In seconds: from now, or since 1970. Managed identities write them as text, and some tell only the latter. */
const seconds = z.coerce.number().positive()
const access_token = z.string().min(1)
const Token = z.union([
  z.looseObject({ access_token, expires_in: seconds }),
  z.looseObject({ access_token, expires_on: seconds }),
])

interface AzureClient {
  tenantId: string
  clientId: string
  clientSecret: string
}

export interface AzureParts extends CredentialsParts {
  /** An application, or where tokens come from. */
  client: AzureClient | (() => Promise<Proof<string>>)
  /** Where tokens of an application come from, without a path; Azure's own by default. */
  authority?: string
}

export function createAzureCredentials({ client, authority = AUTHORITY, ...parts }: AzureParts): Credentials {
  const obtain = typeof client === 'function' ? client : () => tokenFor(client, authority, parts.clock.now())
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

function tokenFor(
  { tenantId, clientId, clientSecret }: AzureClient,
  authority: string,
  now: number,
): Promise<Proof<string>> {
  const form = {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope: SCOPE,
  }
  return tokenFrom(
    tokenAddress(authority, tenantId),
    { method: 'POST', body: new URLSearchParams(form) },
    now,
  )
}

export function tokenAddress(authority: string, tenant: string): string {
  return new URL(`/${encodeURIComponent(tenant)}/oauth2/v2.0/token`, authority).href
}

/** The token that this address gives. `now`: ms since 1970. Rejects when it gives none. */
export async function tokenFrom(url: string, init: RequestInit, now: number): Promise<Proof<string>> {
  const answer = await fetch(url, { ...init, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (answer.status !== 200) throw new Error(`the token address answered ${answer.status}`)
  const token = Token.parse(await answer.json())
  const expiresAt = 'expires_in' in token ? now + Number(token.expires_in) * 1000 : token.expires_on * 1000
  return { value: token.access_token, expiresAt }
}
