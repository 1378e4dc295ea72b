/** Spend limits of people, for tests that set them behind a gateway's back. */
import { COMMAND_LINE } from '../../core/audit/record.ts'
import { systemClock } from '../../core/clock.ts'
import { setSpendLimit } from '../../core/limits/spend-limit.ts'
import type { Db } from '../../core/ports.ts'

/** Sets what a person may spend in a month, in micro-dollars. */
export async function limitTo(db: Db, userId: number, micros: number): Promise<void> {
  const target = { scope: 'user', scopeId: userId, period: 'monthly' } as const
  await setSpendLimit({ db, clock: systemClock, actor: COMMAND_LINE }, target, { amount: micros })
}
