/** Every refusal of the gateway itself, one row per code. functions/envelopes writes it in the form of each API. */
import type { HeaderPairs } from './ports.ts'
import { type Problem, saidBy } from './problems.ts'

interface Row {
  status: number
  /** Anthropic's error type (core/calls/PROTOCOL.md, Errors). */
  type: string
  /** Sent as x-should-retry. Without "false" on a 401 Claude Code retries for three minutes (core/calls/PROTOCOL.md, Retries). */
  retry: boolean
}

export const REFUSALS = {
  key_missing: { status: 401, type: 'authentication_error', retry: false },
  key_unknown: { status: 401, type: 'authentication_error', retry: false },
  key_disabled: { status: 401, type: 'authentication_error', retry: false },
  key_expired: { status: 401, type: 'authentication_error', retry: false },
  sign_in_required: { status: 401, type: 'authentication_error', retry: false },
  not_signed_in: { status: 401, type: 'authentication_error', retry: false },
  invalid_code: { status: 401, type: 'authentication_error', retry: false },
  invalid_invite_code: { status: 403, type: 'permission_error', retry: false },
  wrong_password: { status: 401, type: 'authentication_error', retry: false },
  group_required: { status: 403, type: 'permission_error', retry: false },
  account_required: { status: 403, type: 'permission_error', retry: false },
  address_taken: { status: 403, type: 'permission_error', retry: false },
  provider_required: { status: 403, type: 'permission_error', retry: false },
  account_disabled: { status: 403, type: 'permission_error', retry: false },
  /** They are signed in, but for too long to do this. */
  sign_in_again: { status: 403, type: 'permission_error', retry: false },
  admins_only: { status: 403, type: 'permission_error', retry: false },
  foreign_origin: { status: 403, type: 'permission_error', retry: false },
  disabled_by_admin: { status: 403, type: 'permission_error', retry: false },
  own_application: { status: 403, type: 'permission_error', retry: false },
  network_not_allowed: { status: 403, type: 'permission_error', retry: false },
  scope_missing: { status: 403, type: 'permission_error', retry: false },
  user_disabled: { status: 403, type: 'permission_error', retry: false },
  invalid_input: { status: 400, type: 'invalid_request_error', retry: false },
  unsupported_value: { status: 400, type: 'invalid_request_error', retry: false },
  unsupported_media_type: { status: 415, type: 'invalid_request_error', retry: false },
  too_many_attempts: { status: 429, type: 'rate_limit_error', retry: true },
  body_invalid: { status: 400, type: 'invalid_request_error', retry: false },
  model_not_allowed: { status: 400, type: 'invalid_request_error', retry: false },
  model_unknown: { status: 404, type: 'not_found_error', retry: false },
  not_found: { status: 404, type: 'not_found_error', retry: false },
  /** Of SCIM: what a filter or path says, and that nothing is there. */
  filter_invalid: { status: 400, type: 'invalid_request_error', retry: false },
  path_invalid: { status: 400, type: 'invalid_request_error', retry: false },
  no_target: { status: 400, type: 'invalid_request_error', retry: false },
  conflict: { status: 409, type: 'conflict_error', retry: false },
  not_unique: { status: 409, type: 'conflict_error', retry: false },
  method_not_allowed: { status: 405, type: 'invalid_request_error', retry: false },
  upload_stalled: { status: 408, type: 'timeout_error', retry: true },
  body_too_large: { status: 413, type: 'request_too_large', retry: false },
  quota_exceeded: { status: 429, type: 'billing_error', retry: false },
  limits_unavailable: { status: 429, type: 'billing_error', retry: false },
  rate_limited: { status: 429, type: 'rate_limit_error', retry: true },
  internal: { status: 500, type: 'api_error', retry: true },
  all_backends_failed: { status: 502, type: 'api_error', retry: true },
  upstream_timeout: { status: 504, type: 'timeout_error', retry: true },
  account_unavailable: { status: 503, type: 'overloaded_error', retry: true },
  network_unavailable: { status: 503, type: 'overloaded_error', retry: true },
  /** `shown` overrides status and type with those of the upstream's own answer. */
  upstream_refused: { status: 529, type: 'overloaded_error', retry: true },
  overloaded: { status: 503, type: 'overloaded_error', retry: true },
  provider_unavailable: { status: 503, type: 'overloaded_error', retry: true },
  database_unavailable: { status: 503, type: 'overloaded_error', retry: true },
  no_backend_available: { status: 529, type: 'overloaded_error', retry: true },
} as const satisfies Record<string, Row>

const DATABASE_RETRY_MS = 5_000

export type RefusalCode = keyof typeof REFUSALS

/** Thrown where the gateway refuses a request. `message` is shown to the caller; `cause` is only logged. */
export class Refusal extends Error {
  readonly code: RefusalCode
  readonly retryAfterMs: number | undefined
  /** Extra response headers, e.g. Allow. */
  readonly headers: HeaderPairs
  /** Status and Anthropic's error type that replace those of the code's row. */
  readonly shown: { status: number; type: string } | undefined
  /** What is wrong with the input: path of a field → problem. */
  readonly fields: Readonly<Record<string, string>> | undefined
  /** The same by code, for those that have one. */
  readonly problems: Readonly<Record<string, Problem>> | undefined
  /** What Anthropic calls it, where it has a name for it: its SDKs make an error class of it, or go on in another way. */
  readonly errorCode: string | undefined

  constructor(
    code: RefusalCode,
    message: string,
    options: {
      cause?: unknown
      retryAfterMs?: number
      headers?: HeaderPairs
      fields?: Readonly<Record<string, string | Problem>>
      shown?: { status: number; type: string }
      errorCode?: string
    } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'Refusal'
    this.code = code
    this.retryAfterMs = options.retryAfterMs
    this.headers = options.headers ?? []
    const found = Object.entries(options.fields ?? {})
    this.fields = options.fields && Object.fromEntries(found.map(([path, one]) => [path, sentenceOf(one)]))
    this.problems =
      options.fields &&
      Object.fromEntries(
        found.flatMap(([path, one]) => {
          const coded = typeof one === 'string' ? saidBy(one) : one
          return coded ? [[path, coded]] : []
        }),
      )
    this.shown = options.shown
    this.errorCode = options.errorCode
  }

  get status(): number {
    return this.shown?.status ?? REFUSALS[this.code].status
  }

  /** Whether the same request may succeed if it is only sent again. */
  get retry(): boolean {
    return REFUSALS[this.code].retry
  }

  /** Anthropic's error type. */
  get type(): string {
    return this.shown?.type ?? REFUSALS[this.code].type
  }
}

/** Thrown by drivers of the database when it is locked, away, full or replaced. The message names it and says why. */
export class DatabaseUnavailable extends Error {}

/** What was thrown first, because the query layer puts its own error, with all parameters, around what a driver throws. */
export function rootOf(thrown: unknown): unknown {
  let root = thrown
  while (root instanceof Error && root.cause !== undefined && !(root instanceof DatabaseUnavailable)) {
    root = root.cause
  }
  return root
}

/** Anything thrown, as a Refusal. A bug becomes `internal`, whose message reveals nothing to the caller. */
export function asRefusal(thrown: unknown): Refusal {
  if (thrown instanceof Refusal) return thrown
  if (rootOf(thrown) instanceof DatabaseUnavailable) {
    const message = 'The database cannot be reached at the moment. Please try again.'
    return new Refusal('database_unavailable', message, { cause: thrown, retryAfterMs: DATABASE_RETRY_MS })
  }
  return new Refusal('internal', 'Something went wrong in the gateway.', { cause: thrown })
}

/** A Refusal invalid_input for one field; `field` is its path. */
export function invalidField(field: string, problem: string | Problem): Refusal {
  return new Refusal('invalid_input', `${field}: ${sentenceOf(problem)}`, { fields: { [field]: problem } })
}

function sentenceOf(problem: string | Problem): string {
  return typeof problem === 'string' ? problem : problem.message
}

/** A Refusal not_found, the same for what does not exist and for what belongs to somebody else. */
export function nothingHere(): Refusal {
  return new Refusal('not_found', 'There is nothing at this address.')
}

/** A Refusal not_found for a response that OpenAI would have stored. */
export function nothingStored(id: string): Refusal {
  return new Refusal(
    'not_found',
    `The response ${id.slice(0, 80)} is not here: nothing is stored, so send the whole conversation.`,
  )
}
