/** Who asks, for backends without an API key: one driver of credentials for each. */
import type { BackendConfig } from '../../config/backends.ts'
import { ConfigError } from '../../config/error.ts'
import type { Config } from '../../config/schema.ts'
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
}

/** What signatures of AWS are for, by the type of the backend. */
const SERVICES = {
  bedrock: 'bedrock',
  'bedrock-mantle': 'bedrock-mantle',
  'claude-on-aws': 'aws-external-anthropic',
} as const

const NONE_HERE = 'keys are expected, because this runtime has no credentials of its own'
const NO_ACCOUNT = 'service_account: the JSON of a service account’s key is expected'

/** `platform` is absent where the runtime has no credentials of its own. Throws ConfigError. */
export function credentialsFrom(
  { backends }: Pick<Config, 'backends'>,
  parts: Omit<CredentialsParts, 'backend'>,
  platform?: PlatformCredentials,
): CredentialsOf {
  const made = new Map(
    backends.flatMap((backend, i) => {
      const credentials = credentialsOf(backend, { ...parts, backend: backend.name }, platform)
      if (typeof credentials === 'string') {
        throw new ConfigError('', [{ path: `backends.${i}.credentials`, message: credentials }])
      }
      return credentials ? [[backend.name, credentials] as const] : []
    }),
  )
  return ({ name }) => made.get(name)
}

/** A text says what is wrong with the configuration. */
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
      const service = SERVICES[backend.type]
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
      if (backend.credentials === undefined) return undefined
      const { tenant_id: tenantId, client_id: clientId, client_secret: clientSecret } = backend.credentials
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
