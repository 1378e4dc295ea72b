/**
 * Bedrock's errors, named as Anthropic would:
 * https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
 */
import * as z from 'zod'
import { headerOf } from '../../http/headers.ts'
import { parsedJson } from '../../json/parse.ts'
import { clientError, type NamedError } from './cloud-errors.ts'
import { envelopeOf } from './error-envelope.ts'
import type { ErrorAnswer } from './kind.ts'

const DECODER = new TextDecoder()
const Said = z.looseObject({
  message: z.string().optional(),
  Message: z.string().optional(),
  __type: z.string().optional(),
})

const BY_NAME = new Map(
  Object.entries<Omit<NamedError, 'message'>>({
    UnrecognizedClientException: { status: 401, type: 'authentication_error' },
    InvalidSignatureException: { status: 401, type: 'authentication_error' },
    SignatureDoesNotMatch: { status: 401, type: 'authentication_error' },
    IncompleteSignature: { status: 401, type: 'authentication_error' },
    InvalidClientTokenId: { status: 401, type: 'authentication_error' },
    MissingAuthenticationToken: { status: 401, type: 'authentication_error' },
    MissingAuthenticationTokenException: { status: 401, type: 'authentication_error' },
    ExpiredToken: { status: 401, type: 'authentication_error' },
    ExpiredTokenException: { status: 401, type: 'authentication_error' },
    AccessDeniedException: { status: 403, type: 'permission_error' },
    ResourceNotFoundException: { status: 404, type: 'not_found_error' },
    ServiceQuotaExceededException: { status: 429, type: 'rate_limit_error' },
    ThrottlingException: { status: 429, type: 'rate_limit_error' },
    ModelNotReadyException: { status: 529, type: 'overloaded_error' },
    ServiceUnavailableException: { status: 529, type: 'overloaded_error' },
    ModelTimeoutException: { status: 504, type: 'timeout_error' },
    ModelErrorException: { status: 500, type: 'api_error' },
    InternalServerException: { status: 500, type: 'api_error' },
    ValidationException: { status: 400, type: 'invalid_request_error' },
  }),
)
const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'ValidationException',
  401: 'UnrecognizedClientException',
  403: 'AccessDeniedException',
  404: 'ResourceNotFoundException',
  408: 'ModelTimeoutException',
  424: 'ModelErrorException',
  429: 'ThrottlingException',
  503: 'ServiceUnavailableException',
}
/** How Bedrock begins when it means the credential, whatever it calls the error. */
const REFUSED =
  /^(?:Authentication failed|The security token included in the request is|The request signature)/i
/** ... and when it means the model. */
const NO_MODEL =
  /^(?:The provided model identifier is invalid|Invocation of model ID|The model is not supported|This model version has reached)/i

/**
 * The error in Anthropic's envelope, without names of our account. One in that envelope already, and what is no error of
 * Bedrock's, such as a proxy's, stay as they are.
 */
export function bedrockError(error: ErrorAnswer): ErrorAnswer {
  const { status, headers, body } = error
  if (!body || envelopeOf(body)) return error
  const said = Said.safeParse(parsedJson(DECODER.decode(body))).data
  // Such as "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/".
  const given = headerOf(headers, 'x-amzn-errortype') ?? said?.__type?.split('#').at(-1)
  const message = said?.message ?? said?.Message
  if (given === undefined && message === undefined) return error
  const name = given?.split(':')[0] ?? ''
  return clientError(error, named(BY_NAME.has(name) ? name : BY_STATUS[status], status, message ?? ''))
}

function named(name: string | undefined, status: number, said: string): NamedError {
  const message = withoutAccount(said)
  if (REFUSED.test(said)) return { status: 401, type: 'authentication_error', message }
  if (NO_MODEL.test(said)) return { status: 404, type: 'not_found_error', message: `model: ${message}` }
  const known = name === undefined ? undefined : BY_NAME.get(name)
  if (!known) {
    return status >= 500
      ? { status, type: 'api_error', message }
      : { status, type: status === 413 ? 'request_too_large' : 'invalid_request_error', message }
  }
  return { ...known, message: known.status === 404 ? `model: ${message}` : message }
}

/** `message` with neither ARNs nor numbers of accounts. */
export function withoutAccount(message: string): string {
  return message.replace(/\barn:aws[\w-]*:[^\s"',]+/g, 'arn:…').replace(/\b\d{12}\b/g, '…')
}
