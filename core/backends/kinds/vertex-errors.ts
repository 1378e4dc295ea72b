/** Google's errors, named as Anthropic would: https://docs.cloud.google.com/apis/design/errors */
import * as z from 'zod'
import { parsedJson } from '../../json/parse.ts'
import { clientError, type NamedError } from './cloud-errors.ts'
import { envelopeOf } from './error-envelope.ts'
import type { ErrorAnswer } from './kind.ts'

const DECODER = new TextDecoder()
const GoogleError = z.looseObject({
  error: z.looseObject({
    message: z.string(),
    status: z.string().catch(''),
    details: z.array(z.looseObject({ reason: z.string().catch('') })).catch([]),
  }),
})
/** A stream that fails before it begins is answered with a list of one error. */
const Said = z.union([GoogleError, z.tuple([GoogleError]).transform(([only]) => only)])

const BY_STATUS = new Map(
  Object.entries<Omit<NamedError, 'message'>>({
    INVALID_ARGUMENT: { status: 400, type: 'invalid_request_error' },
    FAILED_PRECONDITION: { status: 400, type: 'invalid_request_error' },
    OUT_OF_RANGE: { status: 400, type: 'invalid_request_error' },
    UNAUTHENTICATED: { status: 401, type: 'authentication_error' },
    PERMISSION_DENIED: { status: 403, type: 'permission_error' },
    NOT_FOUND: { status: 404, type: 'not_found_error' },
    RESOURCE_EXHAUSTED: { status: 429, type: 'rate_limit_error' },
    CANCELLED: { status: 500, type: 'api_error' },
    INTERNAL: { status: 500, type: 'api_error' },
    UNAVAILABLE: { status: 529, type: 'overloaded_error' },
    DEADLINE_EXCEEDED: { status: 504, type: 'timeout_error' },
  }),
)
/** Reasons that are about the project as a whole: https://docs.cloud.google.com/service-infrastructure/docs/service-control/reference/rpc/google.api/errorreason */
const UNPAID = new Set(['BILLING_DISABLED', 'CONSUMER_SUSPENDED', 'SERVICE_DISABLED'])

/**
 * The error in Anthropic's envelope, without names of our project. One in that envelope already, and what is no error of Google's
 * interface, such as a web page, stay as they are.
 */
export function vertexError(error: ErrorAnswer): ErrorAnswer {
  const { status, body } = error
  if (!body || envelopeOf(body)) return error
  const said = Said.safeParse(parsedJson(DECODER.decode(body))).data?.error
  if (!said) return error
  const message = withoutProject(said.message)
  if (said.details.some(({ reason }) => UNPAID.has(reason))) {
    return clientError(error, { status: 402, type: 'billing_error', message })
  }
  const known = BY_STATUS.get(said.status) ?? { status, type: typeOf(status) }
  // Nothing else than the model can be missing there.
  return clientError(error, { ...known, message: known.status === 404 ? `model: ${message}` : message })
}

function typeOf(status: number): string {
  return (
    [...BY_STATUS.values()].find((known) => known.status === status)?.type ??
    (status >= 500 ? 'api_error' : 'invalid_request_error')
  )
}

/** `message` with neither projects nor service accounts. */
function withoutProject(message: string): string {
  return message
    .replace(/\bprojects\/[^\s/'"`,]+/g, 'projects/…')
    .replace(/[\w.-]+@[\w.-]+\.gserviceaccount\.com/g, '…')
}
