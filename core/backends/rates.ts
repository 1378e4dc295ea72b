/**
 * How much room accounts have left, by the rate limits that their answers tell
 * (https://platform.claude.com/docs/en/api/rate-limits#response-headers): new conversations go elsewhere before a 429 comes.
 */
import type { HeaderPairs } from '../ports.ts'

const PREFIX = 'anthropic-ratelimit-'
const NAME = /^(requests|tokens|input-tokens|output-tokens)-(limit|remaining)$/
/** Less than this part of a limit is left to the conversations that are there already. */
const SHARE_LEFT = 0.05
/** Reading the headers of every answer would cost each call some microseconds. */
const READ_EVERY_MS = 500
/** Limits fill up again all the time, so that what an answer told holds for a short time only. */
const HOLDS_MS = 10_000

export interface Rates {
  /** An answer of this backend came, at `now` (ms since 1970). */
  heard(backend: string, headers: HeaderPairs, now: number): void
  /** Whether it has room for a new conversation, as far as is known. */
  hasRoom(backend: string, now: number): boolean
}

export function createRates(): Rates {
  const fullUntil = new Map<string, number>()
  const readAt = new Map<string, number>()
  return {
    heard(backend, headers, now) {
      if (now - (readAt.get(backend) ?? Number.NEGATIVE_INFINITY) < READ_EVERY_MS) return
      readAt.set(backend, now)
      const left = leastLeft(headers)
      if (left === undefined) return
      if (left < SHARE_LEFT) fullUntil.set(backend, now + HOLDS_MS)
      else fullUntil.delete(backend)
    },
    hasRoom: (backend, now) => fullUntil.size === 0 || (fullUntil.get(backend) ?? 0) <= now,
  }
}

/** The smallest remaining share of a limit, 0 to 1; undefined where none is told. */
function leastLeft(headers: HeaderPairs): number | undefined {
  const limits = new Map<string, { limit?: number; remaining?: number }>()
  for (const [name, value] of headers) {
    if (!name.startsWith(PREFIX)) continue
    const [, limit, part] = NAME.exec(name.slice(PREFIX.length)) ?? []
    if (limit !== undefined) limits.set(limit, { ...limits.get(limit), [part ?? '']: Number(value) })
  }
  let least: number | undefined
  for (const { limit = 0, remaining } of limits.values()) {
    if (remaining === undefined || !(limit > 0) || !(remaining >= 0)) continue
    least = Math.min(least ?? 1, remaining / limit)
  }
  return least
}
