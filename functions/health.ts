/** Routes for health checks. They are open to anyone and reveal nothing but the version. */
import { isReady } from '../core/readiness.ts'
import { route } from './route.ts'

export const health = [
  route({
    method: 'GET',
    path: '/healthz',
    tier: 'public',
    summary: 'Whether the process lives; x-gateway-version tells which version it runs.',
    produces: ['text/plain'],
    handle: ({ deps }) => new Response('ok', { headers: { 'x-gateway-version': deps.version } }),
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
  /** Claude Code opens its connection with this request. It checks no credential. */
  route({
    method: 'HEAD',
    path: '/api/hello',
    tier: 'public',
    summary: 'Warms a connection.',
    produces: [],
    handle: () => new Response(null),
  }),
]
