/** Signs requests with keys of AWS: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html */
import { AwsV4Signer } from 'aws4fetch'
import type { Credentials } from '../../../core/backends/credentials.ts'
import type { HeaderPairs, UpstreamRequest } from '../../../core/ports.ts'
import { sha256 } from '../sha256.ts'
import { type CredentialsParts, createRenewed, type Proof } from './renewed.ts'

export interface AwsKeys {
  accessKeyId: string
  secretAccessKey: string
  /** Of temporary keys only. */
  sessionToken?: string | undefined
}

export interface AwsParts extends CredentialsParts {
  /** What signatures are for, such as bedrock. */
  service: string
  region: string
  /** Keys that do not expire, or where they come from. */
  keys: AwsKeys | (() => Promise<Proof<AwsKeys>>)
}

const EMPTY = new Uint8Array()

export function createAwsCredentials({ service, region, keys, ...parts }: AwsParts): Credentials {
  const { clock } = parts
  const obtain = typeof keys === 'function' ? keys : async () => ({ value: keys, expiresAt: undefined })
  const renewed = createRenewed(parts, obtain, secretsOf)
  /** Keys made of the secret for one day; others follow when it changes. */
  let derived = new Map<string, ArrayBuffer>()
  let derivedFrom: AwsKeys | undefined

  const signed = async (request: UpstreamRequest, held: AwsKeys): Promise<HeaderPairs> => {
    if (derivedFrom !== held) derived = new Map()
    derivedFrom = held
    const signer = new AwsV4Signer({
      method: request.method,
      url: request.origin + request.path,
      // No other header is signed but the host, because proxies may change or drop them.
      headers: { 'x-amz-content-sha256': hashOf(request.body ?? EMPTY) },
      accessKeyId: held.accessKeyId,
      secretAccessKey: held.secretAccessKey,
      ...(held.sessionToken === undefined ? {} : { sessionToken: held.sessionToken }),
      service,
      region,
      cache: derived,
      datetime: new Date(clock.now()).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    })
    const { headers } = await signer.sign()
    return [...headers]
  }

  return {
    headers(request) {
      const held = renewed.current()
      return held instanceof Promise ? held.then((one) => signed(request, one)) : signed(request, held)
    },
    secrets: renewed.secrets,
    renew: renewed.renew,
  }
}

/** AWS's answer to a wrong signature quotes what should have been signed. */
function secretsOf({ accessKeyId, secretAccessKey, sessionToken }: AwsKeys): string[] {
  return [secretAccessKey, accessKeyId, ...(sessionToken === undefined ? [] : [sessionToken])]
}

/** Nobody has all of a body that is sent while it arrives; TLS protects it: the signature of S3 has the same word for it. */
function hashOf(body: Uint8Array | AsyncIterable<Uint8Array>): string {
  return body instanceof Uint8Array ? sha256(body) : 'UNSIGNED-PAYLOAD'
}
