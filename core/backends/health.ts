/** What is kept of the health of an account or of a (backend, model), and whether calls may go there. Pure. */
import * as z from 'zod'
import { isAhead } from '../skew.ts'

/** Stands for no person: the network, or a check of our own. User ids begin at 1. */
export const NOBODY = 0

export const Health = z.object({
  /**
   * healthy: gets calls. ejected: failed too often. cooling_down: asked us to wait. unavailable: does not offer the
   * model. disabled: refuses our credential or cannot pay. After `until` an ejected or disabled one gets one call at a
   * time (half-open); the other two are healthy again.
   */
  state: z.enum(['healthy', 'ejected', 'cooling_down', 'unavailable', 'disabled']),
  /** Why it is ejected or disabled, for code; '' for the other states. `one_person` says nothing about the account. */
  cause: z.enum(['', 'failures', 'one_person', 'refused', 'unpaid']),
  /** Why it is in this state, in words for people. */
  reason: z.string(),
  /** When it entered this state, and until when it gets no calls (ms since 1970; 0 when healthy). */
  since: z.number(),
  until: z.number(),
  /** Failures of the last minute, oldest first. */
  failures: z.array(z.object({ at: z.number(), person: z.number() })),
  /** Refusals that may concern one caller only: the last of each kind since a call succeeded. */
  doubts: z.array(z.object({ what: z.enum(['rate', 'model']), at: z.number(), person: z.number() })),
  /** Half-open calls that failed since it last worked: each doubles the wait. */
  strikes: z.number(),
  /** The last half-open call: whose it was, and until when no other may be made. */
  lastTry: z.object({ person: z.number(), endsAt: z.number() }).nullable(),
  /** Whose half-open call failed last. */
  failedBy: z.number(),
  /** When a call of our own last asked whether the account works, and whether it offers a model. */
  checkedAt: z.object({ account: z.number(), model: z.number() }),
  revision: z.number(),
})
export type Health = z.infer<typeof Health>
export type HealthState = Health['state']

/** Failures count for this long. */
export const EVIDENCE_MS = 60_000
/** How long a half-open call keeps all others away. */
export const TRY_MS = 5_000
/** One call of our own in this time, over all processes. */
export const CHECK_EVERY_MS = 10_000

/** A record as a store keeps it; undefined for what is none, such as one of another version. */
export function parsedHealth(json: string): Health | undefined {
  try {
    return Health.safeParse(JSON.parse(json)).data
  } catch {
    return undefined
  }
}

/**
 * The record as it holds at `now`. A clock that was ahead, here or on another machine, must not keep anything out for as long
 * as it was ahead: what it took out is due at once, and its evidence does not count.
 */
export function inTime(health: Health, now: number): Health {
  const { since, until, failures, doubts, lastTry } = health
  const wasAhead = isAhead(since, now)
  return {
    ...health,
    since: wasAhead ? now - EVIDENCE_MS : since,
    until: wasAhead ? Math.min(until, now) : until,
    failures: failures.filter(({ at }) => !isAhead(at, now)),
    doubts: doubts.filter(({ at }) => !isAhead(at, now)),
    lastTry: lastTry && isAhead(lastTry.endsAt - TRY_MS, now) ? null : lastTry,
  }
}

/** Whether calls may go there: freely, as the half-open call, or not at all. */
export function standingOf(
  health: Health | undefined,
  now: number,
): 'usable' | 'due' | Exclude<HealthState, 'healthy'> {
  if (!health || health.state === 'healthy') return 'usable'
  const { state } = health
  const { until, lastTry } = inTime(health, now)
  if (until > now) return state
  if (state === 'cooling_down' || state === 'unavailable') return 'usable'
  return lastTry && lastTry.endsAt > now ? state : 'due'
}
