/** Sends to collectors by fetch, which all runtimes have. Redirects are not followed, because headers may hold secrets. */
import type { SendTelemetry } from '../../../core/ports.ts'

/** Short, because on Lambda an answer waits for it. */
const ANSWER_MS = 5_000

export const sendTelemetry: SendTelemetry = async ({ url, headers, body }) => {
  const signal = AbortSignal.timeout(ANSWER_MS)
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
    await answer.body?.cancel()
    return answer.status
  } catch {
    throw new Error(signal.aborted ? 'it did not answer in time' : 'it cannot be reached')
  }
}
