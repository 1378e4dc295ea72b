/** Tokens of Microsoft Entra for the machine itself. They are one request, for which the library of Azure would be large. */
import { readFile } from 'node:fs/promises'
import { systemClock } from '../../../core/clock.ts'
import { AUTHORITY, SCOPE, tokenAddress, tokenFrom } from './azure.ts'
import type { Proof } from './renewed.ts'

/** What a managed identity calls the scope. */
const RESOURCE = SCOPE.replace('/.default', '')
const MACHINE = 'http://169.254.169.254/metadata/identity/oauth2/token'

/** What the platform puts into the environment. */
export type Environment = Readonly<Record<string, string | undefined>>

export const azureChain = () => async (): Promise<Proof<string>> => {
  const { url, ...init } = await platformRequest(process.env)
  return tokenFrom(url, init, systemClock.now())
}

/**
 * The request for a token: by workload identity, by the managed identity of App Service, Functions and Container Apps, or by that of a
 * virtual machine. AZURE_CLIENT_ID names one of several identities.
 */
export async function platformRequest(env: Environment): Promise<RequestInit & { url: string }> {
  const { AZURE_CLIENT_ID: client, AZURE_TENANT_ID: tenant, AZURE_FEDERATED_TOKEN_FILE: file } = env
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: secret } = env
  if (file && tenant && client) {
    // The file is written anew every hour.
    const assertion = (await readFile(file, 'utf8')).trim()
    return workloadRequest(env.AZURE_AUTHORITY_HOST || AUTHORITY, { tenant, client, assertion })
  }
  return endpoint && secret
    ? { url: identityUrl(endpoint, '2019-08-01', client), headers: { 'x-identity-header': secret } }
    : { url: identityUrl(MACHINE, '2018-02-01', client), headers: { metadata: 'true' } }
}

/** https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow, with a federated credential. */
function workloadRequest(authority: string, given: { tenant: string; client: string; assertion: string }) {
  const form = {
    grant_type: 'client_credentials',
    client_id: given.client,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: given.assertion,
    scope: SCOPE,
  }
  return { url: tokenAddress(authority, given.tenant), method: 'POST', body: new URLSearchParams(form) }
}

/**
 * https://learn.microsoft.com/en-us/azure/app-service/overview-managed-identity and
 * https://learn.microsoft.com/en-us/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
 */
function identityUrl(endpoint: string, version: string, client: string | undefined): string {
  const url = new URL(endpoint)
  url.searchParams.set('api-version', version)
  url.searchParams.set('resource', RESOURCE)
  if (client) url.searchParams.set('client_id', client)
  return url.href
}
