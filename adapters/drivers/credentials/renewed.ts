/** Something that proves who asks and expires: it is renewed ahead of its expiry, so that no call waits for it. */
import { CredentialsError } from '../../../core/backends/credentials.ts'
import type { Clock, Logger, MaybePromise } from '../../../core/ports.ts'
import { sharedWork } from '../../../core/shared-work.ts'

/** From so long before its end on it is renewed. Longer than the longest pause between two tasks of any runtime. */
const AHEAD_MS = 10 * 60_000
/** The pause after a try that failed, while there is something to go on with, and while there is nothing. */
const RETRY_MS = 30_000
const RETRY_WITHOUT_MS = 1_000
/** A try that takes longer has failed, because all calls wait for it and no other one is begun. */
const LONGEST_TRY_MS = 30_000

export interface Proof<T> {
  value: T
  /** Ms since 1970; undefined for what does not expire. */
  expiresAt: number | undefined
}

export interface Renewed<T> {
  /** What is held and valid; waits for one only where none is. Rejects with a CredentialsError. */
  current(): MaybePromise<T>
  /** The secrets in what is held: the same array until that changes. */
  secrets(): readonly string[]
  /** Renews what expires soon. Never rejects: what is held stays in force until it expires. */
  renew(): Promise<void>
}

/** What all drivers of credentials need. */
export interface CredentialsParts {
  /** Name of the backend, for the log. */
  backend: string
  clock: Clock
  logger: Logger
  /** Work that goes on after a call. */
  waitUntil(work: Promise<unknown>): void
}

export function createRenewed<T>(
  { backend, clock, logger, waitUntil }: CredentialsParts,
  obtain: () => Promise<Proof<T>>,
  secretsOf: (value: T) => readonly string[],
): Renewed<T> {
  let proof: Proof<T> | undefined
  let secrets: readonly string[] = []
  let renewing: Promise<T> | undefined
  let failedAt = Number.NEGATIVE_INFINITY

  const isValid = (aheadMs: number) =>
    proof !== undefined && (proof.expiresAt === undefined || proof.expiresAt - aheadMs > clock.now())
  const renewal = async (): Promise<T> => {
    try {
      if (clock.elapsed() - failedAt < RETRY_WITHOUT_MS) throw new Error('tried a moment ago')
      proof = await inTime(clock, obtain())
      secrets = secretsOf(proof.value)
      return proof.value
    } catch (cause) {
      if (clock.elapsed() - failedAt >= RETRY_WITHOUT_MS) {
        failedAt = clock.elapsed()
        // The cause may quote what was sent, so only its kind is told.
        logger.warn('credentials.failed', { backend, error: cause instanceof Error ? cause.name : 'unknown' })
      }
      throw new CredentialsError(cause)
    } finally {
      renewing = undefined
    }
  }
  /** All who wait share one. */
  const renewOnce = () => {
    renewing ??= sharedWork(renewal(), waitUntil)
    return renewing
  }
  const renew = async () => {
    if (!isValid(AHEAD_MS) && clock.elapsed() - failedAt >= RETRY_MS) await renewOnce().catch(() => {})
  }

  return {
    current() {
      if (!proof || !isValid(0)) return renewOnce()
      // The call goes on with what is held. Where nothing runs between calls, nobody else would renew it.
      if (!renewing && !isValid(AHEAD_MS)) waitUntil(renew())
      return proof.value
    },
    secrets: () => secrets,
    renew,
  }
}

function inTime<T>(clock: Clock, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const cancel = clock.after(LONGEST_TRY_MS, () => late.reject(new Error('it took too long')))
  return Promise.race([work, late.promise]).finally(cancel)
}
