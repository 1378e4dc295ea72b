/** Writes down that an account is out, and tells the people who look after it; also when it is back. */
import { auditRow, SYSTEM } from '../audit/record.ts'
import { rootOf } from '../errors.ts'
import { noticeRow } from '../notices/outbox.ts'
import type { Clock, Db, Logger } from '../ports.ts'
import { MINUTE_MS } from '../units.ts'
import { untiring } from '../untiring.ts'
import type { BalancerParts } from './selection.ts'

export interface OutageParts {
  db: Db
  clock: Clock
  logger: Logger
  waitUntil(work: Promise<unknown>): void
}

/** Several processes may find the same within seconds, which is told once; what comes and goes is told once a minute. */
export function outageWriter({
  db,
  clock,
  logger,
  waitUntil,
}: OutageParts): Required<Pick<BalancerParts, 'onOutage' | 'onRecovery'>> {
  const keyOf = (backend: string, state: string, at: number) =>
    `${backend} ${state} ${Math.floor(at / MINUTE_MS)}`
  const write = (rows: () => PromiseLike<unknown>) => {
    const written = untiring({ clock }, rows)
    waitUntil(
      written.catch((cause) => logger.error('backend.outage_not_told', { cause: String(rootOf(cause)) })),
    )
  }
  return {
    onOutage({ backend, state, reason, unpaid = false }) {
      logger.error('backend.outage', { backend, state, reason })
      const at = clock.now()
      const key = keyOf(backend, state, at)
      const event = {
        actor: SYSTEM,
        at,
        action: `backend.${state}` as const,
        target: `backend:${backend}`,
        after: { reason },
      }
      write(() =>
        db.batch([
          auditRow(db, event),
          unpaid
            ? noticeRow(db, { event: 'credit.used_up', data: { backend }, key, at })
            : noticeRow(db, { event: 'backend.out', data: { backend, state, reason }, key, at }),
        ]),
      )
    },
    onRecovery(backend) {
      const at = clock.now()
      const key = keyOf(backend, 'healthy', at)
      write(() => noticeRow(db, { event: 'backend.back', data: { backend }, key, at }))
    },
  }
}
