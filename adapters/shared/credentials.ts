/** Who asks, for backends without an API key: one driver of credentials for each. */
import type { BackendConfig } from '../../config/backends.ts'
import { ConfigError } from '../../config/error.ts'
import type { Credentials, CredentialsOf } from '../../core/backends/credentials.ts'
import { parsedJson } from '../../core/json/parse.ts'
import { type AwsKeys, createAwsCredentials } from '../drivers/credentials/aws.ts'
import { createAzureCredentials } from '../drivers/credentials/azure.ts'
import { createGoogleCredentials, serviceAccount } from '../drivers/credentials/google.ts'
import type { CredentialsParts, Proof } from '../drivers/credentials/renewed.ts'

/** Where credentials of the platform itself come from. */
export interface PlatformCredentials {
  aws(): () => Promise<Proof<AwsKeys>>
  google(): () => Promise<Proof<string>>
  azure(): () => Promise<Proof<string>>
}

/** What signatures of AWS are for, by the type of the backend. */
export const AWS_SERVICES = {
  bedrock: 'bedrock',
  'bedrock-mantle': 'bedrock-mantle',
  'claude-on-aws': 'aws-external-anthropic',
} as const

const NONE_HERE = 'keys are expected, because this runtime has no credentials of its own'
const NO_ACCOUNT = 'service_account: the JSON of a service account’s key is expected'

/**
 * The credentials of backends. Credentials are kept as long as their settings stay, so that their tokens outlive a
 * change of other backends. `platform` is absent where the runtime has no credentials of its own.
 */
export function createProofs(
  parts: Omit<CredentialsParts, 'backend'>,
  platform: PlatformCredentials | undefined,
) {
  let kept = new Map<string, Credentials | undefined>()
  /** A text says what is wrong. */
  const find = (config: BackendConfig): Credentials | string | undefined => {
    const key = JSON.stringify(config)
    if (kept.has(key)) return kept.get(key)
    return credentialsOf(config, { ...parts, backend: config.name }, platform)
  }
  return {
    find,
    /** Throws ConfigError. */
    adopt(configs: readonly BackendConfig[]): CredentialsOf {
      const next: typeof kept = new Map()
      const byName = new Map<string, Credentials | undefined>()
      for (const [i, config] of configs.entries()) {
        const proof = find(config)
        if (typeof proof === 'string') {
          throw new ConfigError('', [{ path: `backends.${i}.credentials`, message: proof }])
        }
        next.set(JSON.stringify(config), proof)
        byName.set(config.name, proof)
      }
      kept = next
      return ({ name }) => byName.get(name)
    },
  }
}

/** Undefined for a backend with an API key; a text says what is wrong with its settings. */
function credentialsOf(
  backend: BackendConfig,
  parts: CredentialsParts,
  platform: PlatformCredentials | undefined,
): Credentials | string | undefined {
  switch (backend.type) {
    case 'bedrock':
    case 'bedrock-mantle':
    case 'claude-on-aws': {
      const { credentials, region } = backend
      if (credentials === undefined) return undefined
      const service = AWS_SERVICES[backend.type]
      if (credentials !== 'platform') {
        return createAwsCredentials({ ...parts, service, region, keys: awsKeys(credentials) })
      }
      return platform ? createAwsCredentials({ ...parts, service, region, keys: platform.aws() }) : NONE_HERE
    }
    case 'vertex': {
      const { credentials } = backend
      if (credentials !== 'platform') {
        const account = serviceAccount.safeParse(parsedJson(credentials.service_account)).data
        return account ? createGoogleCredentials({ ...parts, account }) : NO_ACCOUNT
      }
      return platform ? createGoogleCredentials({ ...parts, account: platform.google() }) : NONE_HERE
    }
    case 'foundry': {
      const { credentials } = backend
      if (credentials === undefined) return undefined
      if (credentials === 'platform') {
        return platform ? createAzureCredentials({ ...parts, client: platform.azure() }) : NONE_HERE
      }
      const { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret } = credentials
      return createAzureCredentials({ ...parts, client: { tenantId, clientId, clientSecret } })
    }
    default:
      return undefined
  }
}

function awsKeys(given: {
  access_key_id: string
  secret_access_key: string
  session_token: string
}): AwsKeys {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token } = given
  return { accessKeyId, secretAccessKey, sessionToken: session_token === '' ? undefined : session_token }
}
