/** Posts to channels on Workers, whose fetch reaches public addresses only; addresses by number are checked here, too. */
import { problemOfAddress } from '../../../core/notices/address.ts'
import { beginningOf } from './format.ts'
import type { Post } from './notifier.ts'

const ANSWER_MS = 10_000

export function fetchPost({ allowPrivate }: { allowPrivate: boolean }): Post {
  return async ({ url, headers, body }) => {
    const problem = problemOfAddress(url, allowPrivate)
    if (problem !== undefined) throw new Error(`its address is refused: ${problem}`)
    const signal = AbortSignal.timeout(ANSWER_MS)
    try {
      const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
      return { status: answer.status, text: await beginningOf(answer.body) }
    } catch {
      throw new Error(signal.aborted ? 'it did not answer in time' : 'it cannot be reached')
    }
  }
}
