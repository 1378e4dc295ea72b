/** Puts functions together into one fetch handler. Alone or all at once: a function cannot tell. */
import { Hono } from 'hono'
import type * as z from 'zod'
import type { Deps } from '../core/deps.ts'
import { anthropicError, apiError, asRefusal, Refusal } from '../core/errors.ts'
import { requestId } from '../core/ids.ts'
import type { Reply } from '../core/ports.ts'
import { ClientGone } from '../core/proxy/forward.ts'
import { health } from './health.ts'
import { identify } from './identify.ts'
import { proxy } from './proxy.ts'
import type { Answer, Dialect, Route } from './route.ts'

export const functions = { proxy, health } satisfies Record<string, Route[]>
export type FunctionName = keyof typeof functions

/** nginx's code for a client that closed the connection: seen in logs only. */
const CLIENT_GONE = 499

/** A fetch handler for the named functions; default all. Paths that no route knows get a JSON 404 in their dialect. */
export function createGateway(deps: Deps, names: readonly FunctionName[] = ['proxy', 'health']) {
  // Routes match the path as it came: a decoded one could match here and mean something else upstream.
  const app = new Hono<{ Bindings: object }>({ strict: true, getPath: (request) => pathOf(request.url) })
  const routes = names.flatMap((name) => functions[name])
  for (const route of routes) {
    const dialect = dialectOf(route.path)
    // Hono answers HEAD with the body-less answer of GET, so that is where a HEAD route has to stand.
    app.on(route.method === 'HEAD' ? 'GET' : route.method, route.path, async (c) => {
      const id = requestId()
      try {
        const request = c.req.raw
        const headers = deps.headersOf(request, c.env)
        const caller = await identify(deps, route.tier, headers)
        const call = {
          deps,
          caller,
          params: c.req.param(),
          query: route.query && parseQuery(route.query, c.req.query()),
          request,
          headers,
          target: targetOf(request.url),
          id,
        }
        // What `route()` forgot about the handler's own types holds: path, tier and query come from the same row.
        return toResponse(deps, await route.handle(call as never), c.env, id)
      } catch (thrown) {
        if (thrown instanceof ClientGone) return new Response(null, { status: CLIENT_GONE })
        return toError(deps, thrown, dialect, id)
      }
    })
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const allowed = routes.filter((route) => route.path === path).map((route) => route.method)
    app.all(path, () => {
      const refusal = new Refusal('method_not_allowed', `Use ${allowed.join(' or ')} here.`, {
        headers: [['allow', allowed.join(', ')]],
      })
      return toError(deps, refusal, dialectOf(path), requestId())
    })
  }
  app.notFound((c) => {
    return toError(
      deps,
      new Refusal('not_found', 'There is nothing at this address.'),
      dialectOf(c.req.path),
      requestId(),
    )
  })
  app.onError((thrown, c) => toError(deps, thrown, dialectOf(c.req.path), requestId()))
  return app
}

function toResponse(deps: Deps, answer: Answer, bindings: unknown, id: string): Response {
  if (answer instanceof Response) return answer
  if (isReply(answer)) return deps.respond(answer, bindings)
  return Response.json(answer, { headers: { 'request-id': id, 'cache-control': 'no-store' } })
}

function toError(deps: Deps, thrown: unknown, dialect: Dialect, id: string): Response {
  const refusal = asRefusal(thrown)
  if (refusal.code === 'internal') {
    const { cause } = refusal
    deps.logger.error('request.failed', {
      id,
      cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    })
  } else {
    deps.logger.debug('request.refused', { id, code: refusal.code })
  }
  return dialect === 'anthropic' ? anthropicError(refusal, id) : apiError(refusal, id)
}

function dialectOf(path: string): Dialect {
  return path.startsWith('/v1/') || path === '/v1' ? 'anthropic' : 'api'
}

function pathOf(url: string): string {
  const target = targetOf(url)
  const query = target.indexOf('?')
  return query < 0 ? target : target.slice(0, query)
}

/** Path and query exactly as they came: what goes upstream must not be decoded and encoded again. */
function targetOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('://') + 3))
}

function parseQuery(schema: z.ZodType, query: Record<string, string>): unknown {
  const result = schema.safeParse(query)
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new Refusal('body_invalid', problems.join('; '))
}

function isReply(answer: Answer): answer is Reply {
  return 'pipe' in answer && typeof answer.pipe === 'function'
}
