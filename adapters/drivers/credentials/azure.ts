/** Tokens of Microsoft Entra for an application: https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
import * as z from 'zod'
import type { Credentials } from '../../../core/backends/credentials.ts'
import type { Clock } from '../../../core/ports.ts'
import { type CredentialsParts, createRenewed, type Proof } from './renewed.ts'

const AUTHORITY = 'https://login.microsoftonline.com'
/** As Anthropic's client for Foundry asks for it. */
const SCOPE = 'https://ai.azure.com/.default'
const TIMEOUT_MS = 10_000

const Token = z.looseObject({ access_token: z.string().min(1), expires_in: z.number().positive() })

interface AzureClient {
  tenantId: string
  clientId: string
  clientSecret: string
}

export interface AzureParts extends CredentialsParts {
  client: AzureClient
  /** Where tokens come from, without a path; Azure's own by default. */
  authority?: string
}

export function createAzureCredentials({ client, authority = AUTHORITY, ...parts }: AzureParts): Credentials {
  const obtain = () => tokenFor(client, authority, parts.clock)
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

async function tokenFor(
  { tenantId, clientId, clientSecret }: AzureClient,
  authority: string,
  clock: Clock,
): Promise<Proof<string>> {
  const form = {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope: SCOPE,
  }
  const answer = await fetch(`${authority}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  if (answer.status !== 200) throw new Error(`the token address answered ${answer.status}`)
  const { access_token, expires_in } = Token.parse(await answer.json())
  return { value: access_token, expiresAt: clock.now() + expires_in * 1000 }
}
