/** The route that Prometheus reads, where metrics have no port of their own. */
import { nothingHere } from '../core/errors.ts'
import { headerOf } from '../core/http/headers.ts'
import { exposition } from '../core/observability/prometheus.ts'
import { route } from './route.ts'

export const metrics = [
  route({
    method: 'GET',
    path: '/metrics',
    tier: 'monitor',
    summary:
      'Figures of all processes of this gateway, as text 0.0.4 or OpenMetrics; 404 where they are not served here.',
    produces: ['text/plain', 'application/openmetrics-text'],
    errors: [404],
    async handle({ deps, headers }) {
      if (!deps.observability) throw nothingHere()
      const figures = await deps.observability.processes.figures()
      const { text, type } = exposition(figures, headerOf(headers, 'accept'))
      return new Response(text, { headers: { 'content-type': type, 'cache-control': 'no-store' } })
    },
  }),
]
