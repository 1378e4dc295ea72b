/** Combines functions into one fetch handler. Each works the same alone or together with others. */
import { Hono } from 'hono'
import { ClientGone } from '../core/calls/forward.ts'
import type { Deps } from '../core/deps.ts'
import { asRefusal, nothingHere, Refusal } from '../core/errors.ts'
import { requestId } from '../core/ids.ts'
import { approvals } from './approvals.ts'
import { audit } from './audit.ts'
import { auth } from './auth.ts'
import { backends } from './backends.ts'
import { createAddressing } from './client-address.ts'
import { anthropicError } from './envelopes/anthropic.ts'
import { apiError } from './envelopes/api.ts'
import { openAiError } from './envelopes/openai.ts'
import { secured } from './guard.ts'
import { health } from './health.ts'
import { keys } from './keys.ts'
import { proxy } from './proxy.ts'
import { docsOf } from './reference/page.ts'
import type { Dialect, Route } from './route.ts'
import { pathOf, run } from './run.ts'
import { fromSite } from './site.ts'
import { usage } from './usage.ts'
import { users } from './users.ts'

export const functions = {
  proxy,
  auth,
  keys,
  usage,
  approvals,
  admin: [...users, ...backends, ...audit],
  health,
} satisfies Record<string, Route[]>
export type FunctionName = keyof typeof functions
const ALL_FUNCTIONS = Object.keys(functions) as FunctionName[] // holds because `functions` is a constant

/** Parses GATEWAY_FUNCTIONS: names separated by commas, all if empty. Throws an Error for an unknown name. */
export function functionsFrom(text: string | undefined): readonly FunctionName[] {
  const names = (text ?? '').split(',').map((name) => name.trim())
  const unknown = names.filter((name) => name !== '' && !Object.hasOwn(functions, name))
  if (unknown.length > 0) throw new Error(`GATEWAY_FUNCTIONS: there is no ${unknown.join(', ')}`)
  const chosen = ALL_FUNCTIONS.filter((name) => names.includes(name))
  return chosen.length > 0 ? chosen : ALL_FUNCTIONS
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
  const newId = () => requestId(deps.clock.now())
  const chosen = Object.fromEntries(names.map((name): [string, Route[]] => [name, functions[name]]))
  const routes = [...Object.values(chosen).flat(), ...docsOf(chosen)]
  for (const route of routes) {
    const { dialect = 'api' } = route
    // Hono serves HEAD through GET routes, so a HEAD route is registered as GET.
    app.on(route.method === 'HEAD' ? 'GET' : route.method, route.path, async (c) => {
      if (route.method === 'HEAD' && c.req.method !== 'HEAD') return c.notFound()
      const id = newId()
      try {
        return await run({ deps, addressOf }, route, {
          id,
          request: c.req.raw,
          bindings: c.env,
          params: () => c.req.param(),
        })
      } catch (thrown) {
        if (thrown instanceof ClientGone) return new Response(null, { status: CLIENT_GONE })
        return toError(deps, thrown, dialect, id)
      }
    })
  }
  const servedAt = servedBy(routes)
  // 405 is answered here, because with one handler per path Hono finds it by a single map lookup.
  app.notFound(async (c) => {
    const served = servedAt(c.req.path)
    if (served) {
      const { methods, dialect } = served
      const refusal = new Refusal('method_not_allowed', `Use ${methods.join(' or ')} here.`, {
        headers: [['allow', methods.join(', ')]],
      })
      return toError(deps, refusal, dialect, newId())
    }
    const found = deps.site && (await fromSite(deps.site, c.req.raw, c.req.path))
    if (found) return secured(found, deps.settings)
    return toError(deps, nothingHere(), unservedDialect(c.req.path), newId())
  })
  app.onError((thrown, c) => toError(deps, thrown, unservedDialect(c.req.path), newId()))
  return app
}

export type Gateway = ReturnType<typeof createGateway>

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
  const envelope = { anthropic: anthropicError, openai: openAiError, api: apiError }[dialect]
  return secured(envelope(refusal, id), deps.settings)
}

/** The dialect of errors for paths without a route: below /v1 the client most likely speaks Claude's API. */
function unservedDialect(path: string): Dialect {
  return path.startsWith('/v1/') || path === '/v1' ? 'anthropic' : 'api'
}

/** Methods and dialect of a path; undefined if no route has it. Paths without parameters match first. */
function servedBy(
  routes: readonly Route[],
): (path: string) => { methods: string[]; dialect: Dialect } | undefined {
  const paths = [...Map.groupBy(routes, ({ path }) => path)].map(([path, served]) => ({
    // A parameter matches one segment.
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`),
    parameters: path.split(':').length,
    dialect: served[0]?.dialect ?? 'api',
    methods: served.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
  }))
  paths.sort((a, b) => a.parameters - b.parameters)
  return (path) => paths.find(({ pattern }) => pattern.test(path))
}
