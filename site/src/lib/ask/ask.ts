/** One call to a model from a page: like any other it is limited, metered and logged. */
import { ApiError } from '../api/client.ts'
import { type AnswerSoFar, createAnswerReader, StreamError } from './answer.ts'
import type { Asked } from './asked.ts'

/** The project that these calls are reported under. */
const PROJECT = 'dashboard'
/** A key that was just made may not be known yet to the process that a call comes to. */
const TRIES = 4
const WAIT_MS = 700

interface ErrorBody {
  error?: { type?: string; message?: string }
}

interface Asking {
  key: string
  signal: AbortSignal
  /** Called as soon as the id of the request is known, and then with each piece of the answer. */
  onbegin(requestId: string): void
  onpiece(answer: AnswerSoFar): void
}

/** Throws an ApiError, which a CallRefused is, a StreamError, or what a fetch throws that was aborted. */
export async function ask(asked: Asked, { key, signal, onbegin, onpiece }: Asking): Promise<void> {
  const answer = await sent({ ...asked, stream: true }, key, signal)
  onbegin(answer.headers.get('request-id') ?? '')
  const reader = createAnswerReader()
  const bytes = answer.body?.getReader()
  const decoder = new TextDecoder()
  for (let isWhole = false; ; ) {
    const piece = await bytes?.read().catch(unlessStopped(signal, new StreamError('', '')))
    if (!piece || piece.done) {
      if (isWhole) return
      throw new StreamError('', '')
    }
    const soFar = reader.take(decoder.decode(piece.value, { stream: true }))
    isWhole = soFar.isWhole
    onpiece(soFar)
  }
}

/** What an error of the connection is to whoever asked. */
function unlessStopped(signal: AbortSignal, error: Error) {
  return (cause: unknown): never => {
    throw signal.aborted ? cause : error
  }
}

async function sent(body: object, key: string, signal: AbortSignal): Promise<Response> {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch('/v1/messages', {
      method: 'POST',
      // The key alone says whose call it is.
      credentials: 'omit',
      headers: {
        'content-type': 'application/json',
        'anthropic-version': '2023-06-01',
        'x-api-key': key,
        'x-claude-gateway-project': PROJECT,
      },
      body: JSON.stringify(body),
      signal,
    }).catch(unlessStopped(signal, new ApiError('', { status: 0, code: 'offline' })))
    if (answer.ok) return answer
    if (answer.status !== 401 || tries === TRIES) throw await errorOf(answer)
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
  }
}

/** A call that was not served. `kind`: Anthropic's type of error, where the gateway did not refuse the call itself. */
export class CallRefused extends ApiError {
  readonly kind: string | undefined

  constructor(message: string, given: { status: number; code: string | null; kind: string }) {
    super(message, { status: given.status, code: given.code ?? 'call_refused' })
    this.kind = given.code === null ? given.kind : undefined
  }
}

async function errorOf(answer: Response): Promise<CallRefused> {
  const { error = {} } = (await answer.json().catch(() => ({}))) as ErrorBody // every field may be missing
  const code = answer.headers.get('x-gateway-error')
  return new CallRefused(error.message ?? answer.statusText, {
    status: answer.status,
    code,
    kind: error.type ?? '',
  })
}
