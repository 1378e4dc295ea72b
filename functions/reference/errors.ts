/** The errors of each route for the reference, derived from its tier and input. */
import * as z from 'zod'
import { Coded } from '../fields.ts'
import { type Dialect, type ErrorStatus, isChange, isSignedInTier, type Route } from '../route.ts'

const MEANING: Record<ErrorStatus, string> = {
  400: 'The input is wrong; each bad field is named.',
  401: 'No valid credential.',
  403: 'Not allowed.',
  404: "Unknown, or somebody else's.",
  408: 'The rest of the request did not come.',
  409: 'It does not fit the present state.',
  413: 'The body is too large.',
  415: 'The body is not JSON, or in a content-encoding that is not understood; Accept-Encoding lists those that are.',
  429: 'Too much or too fast; Retry-After says when to try again.',
  500: 'Something went wrong in the gateway.',
  502: 'Every backend failed, or one broke off its answer.',
  503: 'Not now; it may pass.',
  504: 'No backend began to answer in time.',
  529: 'No backend can take calls now; Retry-After says when to try again.',
}

const ENVELOPES: Record<Dialect, { prefix: string; schema: z.ZodType }> = {
  api: {
    prefix: 'Error',
    schema: z.strictObject({
      error: z.strictObject({
        code: z.string(),
        message: z.string(),
        fields: z.record(z.string(), z.string()).optional(),
        problems: z.record(z.string(), Coded).optional(),
      }),
      request_id: z.string(),
    }),
  },
  anthropic: {
    prefix: 'ProxyError',
    schema: z.strictObject({
      type: z.literal('error'),
      error: z.strictObject({
        type: z.string(),
        message: z.string(),
        details: z.strictObject({ error_code: z.string() }).optional(),
      }),
      request_id: z.string(),
    }),
  },
  'anthropic-admin': {
    prefix: 'AdminError',
    schema: z.strictObject({
      type: z.literal('error'),
      error: z.strictObject({
        type: z.string(),
        message: z.string(),
        details: z.strictObject({ error_code: z.string() }),
      }),
      request_id: z.string(),
    }),
  },
  scim: {
    prefix: 'ScimError',
    schema: z.strictObject({
      schemas: z.array(z.string()),
      status: z.string(),
      scimType: z.string().optional(),
      detail: z.string(),
    }),
  },
  oauth: {
    prefix: 'OAuthError',
    schema: z.strictObject({ error: z.string(), error_description: z.string() }),
  },
  openai: {
    prefix: 'OpenAiError',
    schema: z.strictObject({
      error: z.strictObject({
        message: z.string(),
        type: z.string(),
        param: z.string().nullable(),
        code: z.string().nullable(),
      }),
    }),
  },
}

export function errorsOf(route: Route): ErrorStatus[] {
  const { path, tier, dialect, query, body, accepts, errors = [] } = route
  const isOurChange = tier !== 'key' && isChange(route.method)
  const isOurs = isSignedInTier(tier) || tier === 'admin-key'
  const mayBe: Partial<Record<ErrorStatus, unknown>> = {
    400: query ?? body ?? accepts,
    401: tier !== 'public',
    403:
      tier === 'key' || tier === 'admin-key' || (isSignedInTier(tier) && tier !== 'session') || isOurChange,
    404: path.includes(':') || accepts,
    408: body ?? accepts,
    413: body ?? accepts,
    415: accepts ?? isOurChange,
    429: accepts || isOurs || isOurChange,
    500: accepts,
    502: accepts,
    // The database may be away.
    503: accepts ?? (isOurs || isOurChange),
    504: accepts,
    529: accepts && dialect !== 'openai',
  }
  const all = Object.keys(MEANING).map(Number) as ErrorStatus[] // MEANING has no other keys
  return all.filter((status) => mayBe[status] || errors.includes(status))
}

/** The OpenAPI response of a route for an error status, and its name among the shared ones. */
export function errorResponse(route: Route, status: ErrorStatus) {
  // What answers whether it is well does so in all cases; an address that does not exist is refused as everywhere.
  if (route.tier === 'public' && route.produces?.includes('text/plain') && status !== 404) {
    const content = { 'text/plain': { schema: { type: 'string' } } }
    return { name: `Plain${status}`, response: { description: MEANING[status], content } }
  }
  const { prefix, schema } = ENVELOPES[route.dialect ?? 'api']
  const { $schema: _, ...envelope } = z.toJSONSchema(schema, { io: 'output' })
  const type = route.dialect === 'scim' ? 'application/scim+json' : 'application/json'
  const content = { [type]: { schema: envelope } }
  return { name: `${prefix}${status}`, response: { description: MEANING[status], content } }
}
