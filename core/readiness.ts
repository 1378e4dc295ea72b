/** Whether this process can serve calls: the answer of /readyz. */
import { sql } from 'drizzle-orm'
import type { Deps } from './deps.ts'

/** True if it accepts work, its database answers, calls are recorded and at least one backend can be called. */
export async function isReady({
  accepting,
  catalogue,
  ledger,
  balancer,
  db,
}: Pick<Deps, 'accepting' | 'catalogue' | 'ledger' | 'balancer' | 'db'>): Promise<boolean> {
  if (!accepting() || !catalogue.ready() || !ledger.healthy()) return false
  const usable = balancer.views().some(({ backend, state }) => {
    return backend.enabled && backend.weight > 0 && state !== 'ejected' && state !== 'disabled'
  })
  if (!usable) return false
  try {
    await db.run(sql`select 1`)
    return true
  } catch {
    return false
  }
}
