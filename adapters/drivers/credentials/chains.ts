/**
 * The platform's own credentials, on Node and Lambda. The libraries are large, so they are loaded only where a backend uses them;
 * by their default, because bundles have nothing else of CommonJS.
 */
import { loadedOnce } from '../../shared/loaded.ts'
import type { AwsKeys } from './aws.ts'
import { azureChain } from './azure-platform.ts'
import type { Proof } from './renewed.ts'

export const CHAINS = { aws: awsChain, google: googleChain, azure: azureChain }

/**
 * Environment, profile, web identity, container or instance:
 * https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
function awsChain(): () => Promise<Proof<AwsKeys>> {
  const loaded = loadedOnce(async () => {
    const library = (await import('@aws-sdk/credential-providers')).default
    return library.createCredentialChain(library.fromEnv(), library.fromNodeProviderChain())
  })
  return async () => {
    const provider = await loaded()
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provider()
    return { value: { accessKeyId, secretAccessKey, sessionToken }, expiresAt: expiration?.getTime() }
  }
}

/** A file, workload identity or the metadata server: https://docs.cloud.google.com/docs/authentication/application-default-credentials */
function googleChain(): () => Promise<Proof<string>> {
  const loaded = loadedOnce(async () => {
    const { GoogleAuth } = (await import('google-auth-library')).default
    return new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' }).getClient()
  })
  return async () => {
    const client = await loaded()
    const { token } = await client.getAccessToken()
    if (!token) throw new Error('Google gave no token')
    return { value: token, expiresAt: client.credentials.expiry_date ?? undefined }
  }
}
