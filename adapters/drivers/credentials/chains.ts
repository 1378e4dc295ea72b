/**
 * The platform's own credentials, on Node and Lambda. The libraries are large, so they are loaded only where a backend uses them;
 * by their default, because bundles have nothing else of CommonJS.
 */
import type { AwsKeys } from './aws.ts'
import { azureChain } from './azure-platform.ts'
import type { Proof } from './renewed.ts'

export const CHAINS = { aws: awsChain, google: googleChain, azure: azureChain }

/**
 * Environment, profile, web identity, container or instance:
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
function awsChain(): () => Promise<Proof<AwsKeys>> {
  let loading: Promise<() => Promise<AwsKeys & { expiration?: Date }>> | undefined
  return async () => {
    loading ??= import('@aws-sdk/credential-providers').then(
      ({ default: { createCredentialChain, fromEnv, fromNodeProviderChain } }) =>
        createCredentialChain(fromEnv(), fromNodeProviderChain()),
    )
    const provider = await loading
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provider()
    return { value: { accessKeyId, secretAccessKey, sessionToken }, expiresAt: expiration?.getTime() }
  }
}

/** A file, workload identity or the metadata server: https://docs.cloud.google.com/docs/authentication/application-default-credentials */
function googleChain(): () => Promise<Proof<string>> {
  const load = async () => {
    const { GoogleAuth } = (await import('google-auth-library')).default
    return new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' }).getClient()
  }
  let loading: ReturnType<typeof load> | undefined
  return async () => {
    loading ??= load()
    const client = await loading.catch((cause: unknown) => {
      loading = undefined
      throw cause
    })
    const { token } = await client.getAccessToken()
    if (!token) throw new Error('Google gave no token')
    return { value: token, expiresAt: client.credentials.expiry_date ?? undefined }
  }
}
