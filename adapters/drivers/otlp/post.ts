/** Sends bytes to a collector: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'

/** Answers after which the same may be sent again: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes */
const AGAIN = new Set([429, 502, 503, 504])
const RETRY_MS = 1_000

export interface Post {
  /** Resolves when the collector took it; tries again for `timeoutMs` at most, then rejects. */
  send(body: Uint8Array): Promise<void>
  /** Gives up what is under way. */
  close(): void
}

export function createPost(url: string, headers: Readonly<Record<string, string>>, timeoutMs: number): Post {
  const isSecure = url.startsWith('https:')
  const agent = new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, maxSockets: 1 })
  const ask = isSecure ? httpsRequest : httpRequest
  const closing = new AbortController()

  /** Resolves with the status. Rejects if none comes. */
  function once(body: Uint8Array, signal: AbortSignal): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const about = { 'content-type': 'application/x-protobuf', 'content-length': body.length }
    const options = { method: 'POST', agent, signal, headers: { ...headers, ...about } }
    const request = ask(url, options, (answer) => {
      // What a collector says of spans that it dropped is not ours to mend.
      answer.resume()
      answer.once('end', () => resolve(answer.statusCode ?? 0))
      answer.once('error', reject)
    })
    request.once('error', reject)
    request.end(body)
    return promise
  }
  return {
    async send(body) {
      const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), closing.signal])
      for (;;) {
        const answered = await once(body, signal).catch((cause: unknown) => cause)
        if (typeof answered === 'number' && answered >= 200 && answered < 300) return
        const mayTryAgain = typeof answered !== 'number' || AGAIN.has(answered)
        if (!mayTryAgain || signal.aborted) throw failure(answered)
        await sleep(RETRY_MS, undefined, { signal, ref: false }).catch(() => {
          throw failure(answered)
        })
      }
    },
    close() {
      closing.abort()
      agent.destroy()
    },
  }
}

function failure(answered: unknown): Error {
  if (typeof answered === 'number') return new Error(`the collector answered ${answered}`)
  return answered instanceof Error ? answered : new Error(String(answered))
}
