/** Talks to the gateway this page came from. Errors are ApiError, with what the gateway said. */

/** What a sentence of the gateway says, by which it is found in the reader's language. */
export interface Coded {
  code: string
  params: Readonly<Record<string, string | number>>
}

export class ApiError extends Error {
  readonly status: number
  readonly code: string
  readonly fields: Readonly<Record<string, string>>
  /** The same by code. */
  readonly problems: Readonly<Record<string, Coded>>
  readonly requestId: string | undefined
  /** Seconds to wait, when the gateway said so. */
  readonly retryAfter: number | undefined

  constructor(
    message: string,
    given: {
      status: number
      code: string
      fields?: Record<string, string>
      problems?: Record<string, Coded>
      requestId?: string
      retryAfter?: number
    },
  ) {
    super(message)
    this.name = 'ApiError'
    this.status = given.status
    this.code = given.code
    this.fields = given.fields ?? {}
    this.problems = given.problems ?? {}
    this.requestId = given.requestId
    this.retryAfter = given.retryAfter
  }
}

/** Called with the code of every refusal, because some say that somebody is not, or no longer, who the site takes them for. */
let onRefused = (_code: string) => {}
export function whenRefused(action: (code: string) => void) {
  onRefused = action
}

export type Query = Record<string, string | number | undefined>

export function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return text ? `${path}?${text}` : path
}

interface ErrorBody {
  error?: {
    code?: string
    message?: string
    fields?: Record<string, string>
    problems?: Record<string, Coded>
  }
  request_id?: string
}

async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
  } catch {
    throw new ApiError('', { status: 0, code: 'offline' })
  }
  if (answer.ok) return answer.json() as Promise<T> // checked by the gateway against the schema that T comes from
  const { error = {}, request_id } = (await answer.json().catch(() => ({}))) as ErrorBody // every field may be missing
  onRefused(error.code ?? '')
  const wait = Number(answer.headers.get('retry-after'))
  throw new ApiError(error.message ?? answer.statusText, {
    status: answer.status,
    code: error.code ?? 'unknown',
    ...(error.fields ? { fields: error.fields } : {}),
    ...(error.problems ? { problems: error.problems } : {}),
    ...(request_id ? { requestId: request_id } : {}),
    ...(wait > 0 ? { retryAfter: wait } : {}),
  })
}

export const get = <T>(path: string, query?: Query) => send<T>('GET', withQuery(path, query))
export const post = <T>(path: string, body?: unknown) => send<T>('POST', path, body)
export const put = <T>(path: string, body?: unknown) => send<T>('PUT', path, body)
export const del = <T>(path: string) => send<T>('DELETE', path)
