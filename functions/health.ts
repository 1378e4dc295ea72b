/** Whether the process lives and whether it can serve. No detail: these routes are open to anyone. */
import { sql } from 'drizzle-orm'
import type { Deps } from '../core/deps.ts'
import { route } from './route.ts'

export const health = [
  route({
    method: 'GET',
    path: '/healthz',
    tier: 'public',
    summary: 'Whether the process lives.',
    produces: ['text/plain'],
    handle: () => new Response('ok'),
  }),
  route({
    method: 'GET',
    path: '/readyz',
    tier: 'public',
    summary: 'Whether calls can be served: 200, or 503 while they cannot.',
    produces: ['text/plain'],
    errors: [503],
    handle: async ({ deps }) => {
      const ready = await isReady(deps)
      return new Response(ready ? 'ready' : 'not ready', { status: ready ? 200 : 503 })
    },
  }),
  /** Claude Code warms its connection with this; it says nothing about any credential. */
  route({
    method: 'HEAD',
    path: '/api/hello',
    tier: 'public',
    summary: 'Warms a connection.',
    produces: [],
    handle: () => new Response(null),
  }),
]

/** Taking work, store reachable, calls recorded, and at least one backend that can be called. */
async function isReady({ accepting, catalogue, ledger, balancer, db }: Deps): Promise<boolean> {
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
