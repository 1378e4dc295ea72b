/**
 * The route table as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.0), made from the schemas that check requests. Without
 * zod-openapi, because zod itself makes the schemas: what is left is this loop over our table, which such a library does not
 * know either, and moving named parts to `components` (`hoisted`).
 */
import * as z from 'zod'
import { isChange, type Route, type Tier } from '../route.ts'
import { errorResponse, errorsOf } from './errors.ts'

/** A JSON Schema made by zod. */
export type Schema = Readonly<Record<string, unknown>>
interface Parameter {
  name: string
  in: 'path' | 'query'
  required: boolean
  schema: Schema
}
export interface Operation {
  operationId: string
  tags: string[]
  summary: string
  description: string
  security: Record<string, string[]>[]
  parameters?: Parameter[]
  requestBody?: { required: true; content: Content }
  responses: Record<string, { description: string; content?: Content; headers?: object } | { $ref: string }>
}
type Content = Record<string, { schema?: Schema }>
export interface OpenApi {
  openapi: '3.1.0'
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } }
  servers: { url: string }[]
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema>; responses: object; securitySchemes: object }
}

const SECURITY: Record<Tier, Record<string, string[]>[]> = {
  public: [],
  monitor: [{ metrics: [] }],
  key: [{ bearer: [] }, { api_key: [] }],
  session: [{ session: [] }],
  billing: [{ session: [] }],
  auditor: [{ session: [] }],
  admin: [{ session: [] }],
  device: [],
  'admin-key': [{ admin_bearer: [] }, { admin_key: [] }],
}
const WHO: Record<Tier, string> = {
  public: 'Anyone.',
  monitor: 'With the token of metrics.',
  key: 'With an API key.',
  session: 'Signed in.',
  billing: 'Signed in with the role billing or auditor, or as an administrator.',
  auditor: 'Signed in with the role auditor, or as an administrator.',
  admin: 'Signed in as an administrator.',
  'admin-key': 'With an admin key.',
  device: 'A program that brings a code or token of its own.',
}
const TAGS = new Map(
  Object.entries<string>({
    proxy: "Claude's interface, behind API keys.",
    auth: 'Signing in and out.',
    keys: 'API keys.',
    usage: 'What was used, and what it cost.',
    approvals: 'Models, and applications for them.',
    groups: 'Groups, their members, and service accounts.',
    limits: 'What may be spent.',
    requests: 'Requests for higher limits, and what waits for a decision.',
    notices: 'Channels, and what people are told of by mail.',
    admin: 'Users, backends and the audit record.',
    'claude-code': 'Claude Code signs in; devices.',
    organizations: "Anthropic's Admin API, with admin keys.",
    scim: "SCIM 2.0, for a company's directory, with admin keys.",
    health: 'Operation.',
    metrics: 'Figures for Prometheus.',
  }),
)
/** The OpenAPI document for `functions`: name of a function → its routes. */
export function describeApi(functions: Readonly<Record<string, readonly Route[]>>, version: string): OpenApi {
  const schemas: Record<string, Schema> = {}
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output') => hoisted(schema, io, schemas)
  const shared: Record<string, object> = {}
  const paths: OpenApi['paths'] = {}
  for (const [tag, routes] of Object.entries(functions)) {
    for (const route of routes) {
      const path = route.path.replace(/:(\w+)/g, '{$1}')
      paths[path] = {
        ...paths[path],
        [route.method.toLowerCase()]: operationOf(route, tag, { schemaOf, shared }),
      }
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Claude Gateway',
      version,
      description: 'Made from the schemas that check every request and answer.',
      license: { name: 'Proprietary', identifier: 'LicenseRef-Proprietary' },
    },
    servers: [{ url: '/' }],
    tags: Object.keys(functions).map((name) => ({ name, description: TAGS.get(name) ?? '' })),
    paths,
    components: { schemas, responses: shared, securitySchemes: SCHEMES },
  }
}

type SchemaOf = (schema: z.ZodType, io: 'input' | 'output') => Schema

/** Error responses are added to `shared` and referenced. */
function operationOf(
  route: Route,
  tag: string,
  { schemaOf, shared }: { schemaOf: SchemaOf; shared: Record<string, object> },
): Operation {
  const body = route.body ?? route.accepts
  const parameters = [...pathParameters(route.path), ...queryParameters(route, schemaOf)]
  return {
    operationId: operationId(route),
    tags: [tag],
    summary: route.summary,
    description: whoMay(route),
    security: SECURITY[route.tier],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: true,
            content: { [route.bodyType ?? 'application/json']: { schema: schemaOf(body, 'input') } },
          },
        }
      : {}),
    responses: {
      [String(route.status ?? 200)]: { description: 'Done.', ...contentOf(route, schemaOf) },
      ...Object.fromEntries(
        errorsOf(route).map((status) => {
          const { name, response } = errorResponse(route, status)
          shared[name] = response
          return [status, { $ref: `#/components/responses/${name}` }]
        }),
      ),
    },
  }
}

function whoMay({ tier, method, scope }: Route): string {
  if (tier !== 'admin-key') return WHO[tier]
  return `With an admin key of the scope ${scope ?? (isChange(method) ? 'write' : 'read')}.`
}

/** e.g. put_api_keys_id_disable */
function operationId({ method, path }: Route): string {
  return `${method.toLowerCase()}_${path.replace(/\W+/g, '_').replace(/^_|_$/g, '')}`
}

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } }
  })
}

function queryParameters({ query, nullable = [] }: Route, schemaOf: SchemaOf): Parameter[] {
  if (!query) return []
  const { properties, required } = Shape.parse(schemaOf(query, 'input'))
  return Object.entries(properties).map(([name, schema]) => {
    // An empty one is as none.
    const taken = nullable.includes(name) ? { anyOf: [schema, { const: '' }] } : schema
    return { name, in: 'query', required: required.includes(name), schema: taken }
  })
}
const Shape = z.looseObject({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
})

function contentOf(
  { reply, stream, produces, dialect, status }: Route,
  schemaOf: SchemaOf,
): { content?: Content } {
  if (stream) {
    const data = {
      type: 'string',
      contentMediaType: 'application/json',
      contentSchema: schemaOf(stream, 'output'),
    }
    return { content: { 'text/event-stream': { schema: data } } }
  }
  const json = dialect === 'scim' ? 'application/scim+json' : 'application/json'
  const types = status === 204 || status === 303 ? [] : (produces ?? [json])
  if (types.length === 0) return {}
  const schema = reply && schemaOf(reply, 'output')
  const entries = types.map((type) => {
    return [type, type === json && schema ? { schema } : { schema: { type: 'string' } }] as const
  })
  return { content: Object.fromEntries(entries) }
}

/** The JSON Schema with its named parts moved to `into` and referenced. */
function hoisted(schema: z.ZodType, io: 'input' | 'output', into: Record<string, Schema>): Schema {
  const made = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  const text = JSON.stringify(made).replaceAll('"#/$defs/', '"#/components/schemas/')
  const { $schema: _, $defs = {}, ...rest } = Made.parse(JSON.parse(text))
  for (const [name, { id: __, ...definition }] of Object.entries($defs)) into[name] = definition
  const { id, ...own } = rest
  if (id === undefined) return own
  into[id] = own
  return { $ref: `#/components/schemas/${id}` }
}
const Definition = z.looseObject({ id: z.string().optional() })
const Made = Definition.extend({
  $schema: z.string().optional(),
  $defs: z.record(z.string(), Definition).optional(),
})

const SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' },
  api_key: { type: 'apiKey', in: 'header', name: 'x-api-key' },
  admin_bearer: { type: 'http', scheme: 'bearer', description: 'An admin key.' },
  admin_key: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'An admin key.' },
  metrics: { type: 'http', scheme: 'bearer', description: 'What the configuration has as metrics.token.' },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: 'session',
    description:
      'Set by /api/auth/login; named __Host-session over https, and after the port (session-8080) over http. Changes also need a same-origin Origin header.',
  },
}
