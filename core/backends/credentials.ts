/** The port by which backends without an API key are signed in to; its drivers are in adapters/drivers/credentials. */
import type { HeaderPairs, MaybePromise, UpstreamRequest } from '../ports.ts'
import type { Backend, Settings } from '../settings.ts'

/** Proves to one backend who asks: signs requests, or adds a token that is renewed ahead of its expiry. */
export interface Credentials {
  /**
   * The headers to add to this request, which has all others already. A promise only where a signature is computed, or where no
   * valid token is held; never waits for a renewal while one is. Throws or rejects with a CredentialsError.
   */
  headers(request: UpstreamRequest): MaybePromise<HeaderPairs>
  /** The secrets in those headers, which an upstream may quote; the same array until they change. */
  secrets(): readonly string[]
  /** Renews what expires soon; called every minute. Never rejects. */
  renew(): Promise<void>
}

/** The credentials of a backend; undefined for one with an API key, which goes in a header of its kind. */
export type CredentialsOf = (backend: Backend) => Credentials | undefined

/** There is nothing to prove with who asks: no token could be had. */
export class CredentialsError extends Error {
  constructor(cause: unknown) {
    super('no credentials', { cause })
    this.name = 'CredentialsError'
  }
}

/** Renews what expires soon, of all backends. Never rejects. */
export async function renewCredentials({
  settings,
  credentialsOf,
}: {
  settings: Pick<Settings, 'backends'>
  credentialsOf?: CredentialsOf
}): Promise<void> {
  await Promise.all(settings.backends.map((backend) => credentialsOf?.(backend)?.renew()))
}
