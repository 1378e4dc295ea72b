/**
 * What becomes of calls when no backend of their model is usable: a few are tried all the same, because nobody is refused
 * without a try; everybody else hears at once what the last one heard, because a herd would keep the backend down.
 */
import type { Clock } from '../ports.ts'
import { TRY_MS } from './health.ts'

/** How many calls one process may try at the same time, by the state of the pair. */
const PLACES = { ejected: 4, cooling_down: 1 }
const KEPT_MS = 10_000

/** What an upstream refused with, without its words. */
export interface KeptRefusal {
  status: number
  /** Anthropic's error type. */
  type: string
  /** When it may be asked again (ms since 1970); undefined when it did not say. */
  retryAt: number | undefined
}

export interface Tries {
  /** Takes a place for this person; undefined when all are taken or the person has one. The result gives it back. */
  take(pair: string, person: number, standing: 'ejected' | 'cooling_down'): (() => void) | undefined
  /** Whether any call is being tried there. */
  underWay(pair: string): boolean
  /** Resolves when a place is given back at any of these pairs, or after `ms`. */
  nextEnd(pairs: readonly string[], ms: number): Promise<void>
  keep(pair: string, refusal: KeptRefusal): void
  /** The newest refusal of these pairs that is not too old. */
  kept(pairs: readonly string[]): KeptRefusal | undefined
}

export function createTries(clock: Clock): Tries {
  const places = new Map<string, Map<number, { endsAt: number }>>()
  const refusals = new Map<string, { refusal: KeptRefusal; at: number }>()
  const waiting = new Map<string, Set<() => void>>()

  /** A place is held for TRY_MS at most, because a call that hangs must not keep everybody else out. */
  const living = (pair: string) => {
    const taken = places.get(pair)
    for (const [person, { endsAt }] of taken ?? []) if (endsAt <= clock.elapsed()) taken?.delete(person)
    return taken
  }
  const wake = (pair: string) => {
    for (const waker of waiting.get(pair) ?? []) waker()
  }

  return {
    take(pair, person, standing) {
      const taken = living(pair) ?? new Map<number, { endsAt: number }>()
      if (taken.size >= PLACES[standing] || taken.has(person)) return undefined
      const place = { endsAt: clock.elapsed() + TRY_MS }
      taken.set(person, place)
      places.set(pair, taken)
      return () => {
        if (taken.get(person) === place) taken.delete(person)
        if (taken.size === 0 && places.get(pair) === taken) places.delete(pair)
        wake(pair)
      }
    },
    underWay: (pair) => (living(pair)?.size ?? 0) > 0,
    nextEnd(pairs, ms) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const cancel = clock.after(ms, resolve)
      for (const pair of pairs) {
        const wakers = waiting.get(pair) ?? new Set()
        waiting.set(pair, wakers.add(resolve))
      }
      return promise.finally(() => {
        cancel()
        for (const pair of pairs) {
          waiting.get(pair)?.delete(resolve)
          if (waiting.get(pair)?.size === 0) waiting.delete(pair)
        }
      })
    },
    keep: (pair, refusal) => void refusals.set(pair, { refusal, at: clock.elapsed() }),
    kept(pairs) {
      const found = pairs.flatMap((pair) => refusals.get(pair) ?? [])
      const newest = found.reduce(
        (a, b) => (b.at > a.at ? b : a),
        found[0] ?? { at: Number.NEGATIVE_INFINITY },
      )
      return 'refusal' in newest && clock.elapsed() - newest.at <= KEPT_MS ? newest.refusal : undefined
    },
  }
}
