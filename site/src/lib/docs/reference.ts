/** The reference: the OpenAPI document of this gateway, as groups of routes. */
import type { OpenApi, Operation } from '../../../../functions/reference/openapi.ts'
import { get } from '../api/client.ts'
import type { Section } from './search.ts'
import { exampleOf } from './shape.ts'

export type { OpenApi }
export interface Route {
  path: string
  method: string
  operation: Operation
}

let loading: Promise<OpenApi> | undefined
/** Asked for once: it changes with the gateway only. */
export function loadReference(): Promise<OpenApi> {
  loading ??= get<OpenApi>('/openapi.json').catch((cause: unknown) => {
    loading = undefined
    throw cause
  })
  return loading
}

export function groupsOf(api: OpenApi): { name: string; description: string; routes: Route[] }[] {
  const routes = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )
  return api.tags.map(({ name, description }) => ({
    name,
    description,
    routes: routes.filter(({ operation }) => operation.tags.includes(name)),
  }))
}

export function referenceSections(api: OpenApi): Section[] {
  return groupsOf(api).flatMap(({ name, routes }) =>
    routes.map(({ path, method, operation }) => ({
      href: `/docs/reference#${operation.operationId}`,
      within: name,
      title: `${method} ${path}`,
      text: `${operation.summary}\n${operation.description}`,
    })),
  )
}

/** Ready to paste; undefined where a program cannot call it, because it takes a session. */
export function curlOf({ path, method, operation }: Route, api: OpenApi, origin: string): string | undefined {
  const schemes = operation.security.flatMap((one) => Object.keys(one))
  if (schemes.includes('session')) return undefined
  const body = operation.requestBody?.content['application/json']?.schema
  const lines = [
    `curl ${method === 'GET' ? '' : `-X ${method} `}${origin}${path}`,
    ...(schemes.length > 0 ? [`  -H "x-api-key: $GATEWAY_KEY"`] : []),
    ...(body
      ? [
          '  -H "content-type: application/json"',
          `  -d '${JSON.stringify(exampleOf(body, api.components.schemas), null, 2)}'`,
        ]
      : []),
  ]
  return lines.join(' \\\n')
}
