/** What became of each attempt of a call, as its row keeps it. */
import * as z from 'zod'
import { headerOf } from '../http/headers.ts'
import type { HeaderPairs } from '../ports.ts'
import type { Failure } from './verdict.ts'

/** An HTTP status, or what an attempt came to without an answer that has one. */
export type AttemptAnswer = number | Failure['kind'] | 'timeout' | 'client_gone'

/** Backend, when it began after the call arrived (ms), how long it took to its first byte or end (ms), and the answer. */
type Told = [string, number, number, AttemptAnswer]
/** Also with words of later releases, which may have written to this database. */
const Attempts = z.array(z.tuple([z.string(), z.int(), z.int(), z.union([z.int(), z.string()])]))

/** Hears what becomes of a call's attempts. */
export interface Listener {
  /** The call goes to this backend now; it may be the second or third. */
  sentTo(backend: string): void
  /** That attempt is over, or begins to answer. `headers`: of an answer. */
  ended(answer: AttemptAnswer, headers?: HeaderPairs): void
}

export interface Story extends Listener {
  /** The shortest text: '' if the first backend answered. */
  text(): string
  /** '' without any. */
  upstreamId(): string
}

/** `sinceArrival`: ms since the call arrived. */
export function createStory(sinceArrival: () => number): Story {
  const told: Told[] = []
  let upstreamId = ''
  let backend = ''
  let began = 0
  return {
    sentTo(name) {
      backend = name
      began = Math.round(sinceArrival())
    },
    ended(answer, headers) {
      told.push([backend, began, Math.round(sinceArrival()) - began, answer])
      if (headers) upstreamId = upstreamIdOf(headers)
    },
    text() {
      const [first, second] = told
      const isPlain = !first || (!second && typeof first[3] === 'number' && first[3] < 400)
      return isPlain ? '' : JSON.stringify(told)
    },
    upstreamId: () => upstreamId,
  }
}

/** The attempts in such a text. Throws if it is none. */
export function attemptsIn(text: string) {
  const told = text === '' ? [] : Attempts.parse(JSON.parse(text))
  return told.map(([backend, beganMs, tookMs, answer]) => ({ backend, beganMs, tookMs, answer }))
}

/** As Anthropic, Amazon and most others name it; '' for what is no plain id. */
function upstreamIdOf(headers: HeaderPairs): string {
  const id =
    headerOf(headers, 'request-id') ??
    headerOf(headers, 'x-amzn-requestid') ??
    headerOf(headers, 'x-request-id') ??
    ''
  return /^[\w.:-]{1,100}$/.test(id) ? id : ''
}
