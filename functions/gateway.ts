/** Combines functions into one fetch handler. Each works the same alone or together with others. */
import { Hono } from 'hono'
import { ClientGone } from '../core/calls/forward.ts'
import type { Deps } from '../core/deps.ts'
import { asRefusal, Refusal } from '../core/errors.ts'
import { requestId } from '../core/ids.ts'
import type { HeaderPairs } from '../core/ports.ts'
import { createCallNetworks } from './call-networks.ts'
import { createAddressing } from './client-address.ts'
import { corsHeaders, preflight } from './cors.ts'
import { adminError, anthropicError } from './envelopes/anthropic.ts'
import { apiError } from './envelopes/api.ts'
import { oauthError } from './envelopes/oauth.ts'
import { openAiError } from './envelopes/openai.ts'
import { scimError } from './envelopes/scim.ts'
import { secured } from './guard.ts'
import { originOf } from './origin.ts'
import { docsOf } from './reference/page.ts'
import type { Dialect, Route, Tier } from './route.ts'
import { pathOf, run } from './run.ts'
import { fromSite } from './site.ts'
import { ALL_FUNCTIONS, type FunctionName, functions } from './table.ts'
import { unserved } from './unserved.ts'

const ENVELOPES = {
  anthropic: anthropicError,
  'anthropic-admin': adminError,
  openai: openAiError,
  api: apiError,
  scim: scimError,
  oauth: oauthError,
}

/** nginx's status for a client that closed the connection; no client sees it. */
const CLIENT_GONE = 499

/** A fetch handler for the named functions. Paths without a route get the dashboard's file or page, else a JSON 404. */
export function createGateway(deps: Deps, names: readonly FunctionName[] = ALL_FUNCTIONS) {
  // Routes match the undecoded path, because a decoded one could match here and mean something else upstream.
  const app = new Hono<{ Bindings: object }>({
    strict: true,
    getPath: (request) => pathOf(request.url),
  })
  const addressOf = createAddressing(deps)
  const assertNetwork = createCallNetworks(deps)
  const newId = () => requestId(deps.clock.now())
  const chosen = Object.fromEntries(names.map((name): [string, Route[]] => [name, functions[name]]))
  const routes = [...Object.values(chosen).flat(), ...docsOf(chosen)]
  const { corsOrigins } = deps.settings
  /** Reads the headers only where some origin is allowed, because that is rare. */
  const corsOf = (tier: Tier, request: Request, bindings: unknown) =>
    tier !== 'key' || corsOrigins.length === 0
      ? []
      : corsHeaders(corsOrigins, deps.wire.headers(request, bindings))
  for (const route of routes) {
    const { dialect = 'api', tier } = route
    // Hono serves HEAD through GET routes, so a HEAD route is registered as GET.
    app.on(route.method === 'HEAD' ? 'GET' : route.method, route.path, async (c) => {
      if (route.method === 'HEAD' && c.req.method !== 'HEAD') return c.notFound()
      const id = newId()
      const startedAt = deps.clock.elapsed()
      const answered = (status: number) => {
        const ms = deps.clock.elapsed() - startedAt
        deps.metrics?.answered(c.req.method, route.path, status, ms)
      }
      const cors = corsOf(tier, c.req.raw, c.env)
      try {
        return await run({ deps, addressOf, assertNetwork }, route, {
          id,
          cors,
          request: c.req.raw,
          bindings: c.env,
          params: () => c.req.param(),
          answered,
        })
      } catch (thrown) {
        const isGone = thrown instanceof ClientGone
        const response = isGone
          ? new Response(null, { status: CLIENT_GONE })
          : toError(deps, thrown, dialect, { id, cors })
        answered(response.status)
        return response
      }
    })
  }
  const servedAt = servedBy(routes)
  // 405 is answered here, because with one handler per path Hono finds it by a single map lookup.
  app.notFound((c) => {
    const { raw: request, path } = c.req
    // An address that nobody has is open too, because a page could not read the error otherwise.
    const { tier = 'key' } = servedAt(path) ?? {}
    const cors = corsOf(tier, request, c.env)
    return elsewhere(deps, { id: newId(), cors, tier, request, bindings: c.env, path }, servedAt)
  })
  app.onError((thrown) => toError(deps, thrown, 'api', { id: newId(), cors: [] }))
  return app
}

export type Gateway = ReturnType<typeof createGateway>

interface Elsewhere {
  id: string
  cors: HeaderPairs
  tier: Tier
  request: Request
  bindings: unknown
  path: string
}

/** The answer where no route has path and method: a preflight's, 405, what the dashboard has there, or 404. */
async function elsewhere(
  deps: Deps,
  { id, cors, tier, request, bindings, path }: Elsewhere,
  servedAt: (path: string) => Served | undefined,
): Promise<Response> {
  const { settings, wire } = deps
  const isPreflight = tier === 'key' && request.method === 'OPTIONS'
  const opened = isPreflight && preflight(settings.corsOrigins, wire.headers(request, bindings))
  if (opened) return secured(opened, settings)
  const served = servedAt(path)
  if (served) {
    const { methods, dialect } = served
    const refusal = new Refusal('method_not_allowed', `Use ${methods.join(' or ')} here.`, {
      headers: [['allow', methods.join(', ')]],
    })
    return toError(deps, refusal, dialect, { id, cors })
  }
  const found = deps.site && (await fromSite(deps.site, request, path))
  if (found) return secured(found, settings)
  const { refusal, dialect } = unserved(path, servedAt, () => originOf(deps, request, bindings))
  return toError(deps, refusal, dialect, { id, cors })
}

function toError(
  deps: Deps,
  thrown: unknown,
  dialect: Dialect,
  { id, cors }: { id: string; cors: HeaderPairs },
): Response {
  const refusal = asRefusal(thrown)
  deps.metrics?.refused(refusal.code)
  if (refusal.code === 'internal') {
    const { cause } = refusal
    deps.logger.error('request.failed', {
      id,
      cause: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    })
  } else {
    deps.logger.debug('request.refused', { id, code: refusal.code })
  }
  const envelope = ENVELOPES[dialect]
  const response = envelope(refusal, id)
  for (const [name, value] of cors) response.headers.append(name, value)
  return secured(response, deps.settings)
}

interface Served {
  path: string
  methods: string[]
  dialect: Dialect
  tier: Tier
}

/** The routes of a path; undefined if none has it. Paths without parameters match first. */
function servedBy(routes: readonly Route[]): (path: string) => Served | undefined {
  const paths = [...Map.groupBy(routes, ({ path }) => path)].map(([path, served]) => ({
    path,
    // A parameter matches one segment.
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`),
    parameters: path.split(':').length,
    dialect: served[0]?.dialect ?? 'api',
    tier: served[0]?.tier ?? 'public',
    methods: served.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
  }))
  paths.sort((a, b) => a.parameters - b.parameters)
  return (path) => paths.find(({ pattern }) => pattern.test(path))
}
