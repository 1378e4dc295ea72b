/** Hands an account's answer on, byte for byte. */

import type { KeptAnswer } from '../calls/attempt.ts'
import { clientHeaders } from '../calls/forwarded-headers.ts'
import type { Deps } from '../deps.ts'
import type { HeaderPairs, MaybePromise, Reply, Sink } from '../ports.ts'
import type { StopSignal } from '../stop.ts'
import type { AccountAnswer } from './account.ts'

/** An answer that is there already. */
export function wholeReply({ status, headers, body }: KeptAnswer, requestId: string): Reply {
  return {
    status,
    headers: clientHeaders(headers, requestId),
    pipe: (sink) => sink.write(body),
  }
}

/**
 * What somebody once uploaded, or what a model wrote: it is only ever saved, never shown, because it may be a page with scripts
 * (core/http/guards.ts has what else protects the dashboard from it).
 */
export function downloadReply(
  parts: Pick<Deps, 'clock' | 'settings'>,
  answer: AccountAnswer,
  { requestId, signal }: { requestId: string; signal: StopSignal },
): Reply {
  const { status } = answer.reply
  const headers: HeaderPairs = clientHeaders(answer.reply.headers, requestId).filter(
    ([name]) => name !== 'content-disposition',
  )
  if (status < 300) headers.push(['content-disposition', 'attachment'])
  return {
    status,
    headers,
    pipe: (sink) => flow(parts, answer, { sink, signal }),
  }
}

/** Ends the exchange when the client leaves, or when the account is silent for too long while nothing waits for the client. */
export function flow(
  { clock, settings }: Pick<Deps, 'clock' | 'settings'>,
  { reply, stop }: AccountAnswer,
  { sink, signal }: { sink: Sink; signal: StopSignal },
): MaybePromise<void> {
  const idleMs = settings.retry.idleTimeoutMs
  const signals = sink.left ? [signal, sink.left] : [signal]
  const onGone = () => stop.abort(new Error('client left'))
  let lastByteAt = clock.elapsed()
  let writing = false
  const flowing = reply.pipe({
    write(chunk) {
      lastByteAt = clock.elapsed()
      const wait = sink.write(chunk)
      if (!wait) return
      writing = true
      return wait.finally(() => {
        writing = false
        lastByteAt = clock.elapsed()
      })
    },
  })
  if (!flowing) return
  const watch = (ms: number): (() => void) =>
    clock.after(ms, () => {
      const silentMs = writing ? 0 : clock.elapsed() - lastByteAt
      if (silentMs < idleMs) cancel = watch(idleMs - silentMs)
      else stop.abort(new Error('silent for too long'))
    })
  let cancel = watch(idleMs)
  if (signals.some(({ aborted }) => aborted)) onGone()
  for (const one of signals) one.addEventListener('abort', onGone)
  return flowing.finally(() => {
    cancel()
    for (const one of signals) one.removeEventListener('abort', onGone)
  })
}
