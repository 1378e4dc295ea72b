/** The route by which the dashboard sees what happens at this moment. */
import * as z from 'zod'
import { isAuditorSession } from '../core/auth/sessions.ts'
import { SHOWN_STATES } from '../core/backends/view.ts'
import { nothingHere } from '../core/errors.ts'
import type { LiveFigures, Reader } from '../core/observability/live.ts'
import { timeText } from '../core/units.ts'
import { timestamp } from './fields.ts'
import { route } from './route.ts'

const LiveView = z
  .strictObject({
    at: timestamp,
    processes: z.int(),
    calls_in_flight: z.int(),
    calls_per_minute: z.int(),
    failed_per_minute: z.int(),
    tokens_per_second: z
      .number()
      .meta({ description: 'Of all classes, over 10 seconds; they come as calls end.' }),
    output_tokens_per_second: z.number(),
    cost_usd_per_minute: z.number(),
    cache_hit_share: z
      .number()
      .nullable()
      .meta({ description: 'The share of input tokens that came from the prompt cache in the last minute.' }),
    backends: z.array(z.strictObject({ name: z.string(), state: z.enum(SHOWN_STATES), in_flight: z.int() })),
  })
  .meta({ id: 'LiveView' })
export type LiveView = z.infer<typeof LiveView>

export const live = [
  route({
    method: 'GET',
    path: '/admin/api/live',
    tier: 'auditor',
    summary: 'What happens now, once a second, as server-sent events; on Node. It ends with the session.',
    stream: LiveView,
    produces: ['text/event-stream'],
    errors: [404],
    handle({ deps, caller, over, id }) {
      const hub = deps.observability?.live
      if (!hub) throw nothingHere()
      const who = { sessionId: caller.sessionId, userId: caller.user.id }
      const parts = { db: deps.db, clock: deps.clock, auth: deps.settings.auth }
      const stream = eventStream(
        () => isAuditorSession(parts, who),
        (reader) => {
          const leave = hub.read(reader)
          return () => {
            leave()
            over()
          }
        },
      )
      return new Response(stream, {
        headers: {
          'content-type': 'text/event-stream',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
          'request-id': id,
        },
      })
    },
  }),
]

/** A stream that is a reader. `begin` returns what is called when it is over. Throws what `begin` throws. */
function eventStream(
  allowed: () => Promise<boolean>,
  begin: (reader: Reader) => () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  let finish = () => {}
  return new ReadableStream<Uint8Array>({
    start(controller) {
      finish = begin({
        ready: () => (controller.desiredSize ?? 0) > 0,
        take: (figures) => controller.enqueue(encoder.encode(`data: ${JSON.stringify(viewOf(figures))}\n\n`)),
        allowed,
        end() {
          finish()
          controller.close()
        },
      })
    },
    cancel: () => finish(),
  })
}

function viewOf(figures: LiveFigures): LiveView {
  return LiveView.parse({
    at: timeText(figures.at),
    processes: figures.processes,
    calls_in_flight: figures.callsInFlight,
    calls_per_minute: figures.callsPerMinute,
    failed_per_minute: figures.failedPerMinute,
    tokens_per_second: figures.tokensPerSecond,
    output_tokens_per_second: figures.outputTokensPerSecond,
    cost_usd_per_minute: figures.costUsdPerMinute,
    cache_hit_share: figures.cacheHitShare ?? null,
    backends: figures.backends.map(({ name, state, inFlight }) => ({ name, state, in_flight: inFlight })),
  })
}
