/** The backends: what each kind of them needs, and core's settings of it. */
import * as z from 'zod'
import { type Backend, HIGHEST_PRIORITY } from '../core/settings.ts'
import { headerSecret, secret } from './secrets.ts'
import { headerName, headerValue } from './telemetry.ts'
import { modelName, price, proxyUrl, upstreamUrl } from './values.ts'

/** What the backend calls a model: a deployment, an inference profile or its ARN. */
const upstreamName = z
  .string()
  .regex(/^[\x21-\x7e]{1,512}$/, 'letters, digits and signs without spaces are expected, 512 at most')
const model = z.union([modelName, z.strictObject({ id: modelName, upstream: upstreamName })])
const models = z.array(model).default([])
/** Where there is no list of models to be read: the configuration is the list. */
const namedModels = z
  .array(model)
  .min(1, 'at least one model is required, because this kind has no list of them')
  .refine((list) => list.every((one) => !idOf(one).includes('*')), 'names without * are expected')

/** Credentials, where a request goes, how its body is sent, and what the API itself reads are not to be set. */
const NOT_OWN =
  /^(authorization|x-api-key|api-key|cookie|host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-.*|accept-encoding|expect|proxy-.*|anthropic-.*|x-amz-.*|x-goog-.*)$/
const ownHeader = headerName
  .transform((name) => name.toLowerCase())
  .refine(
    (name) => !NOT_OWN.test(name),
    'a header that says nothing of credentials, body or connection is expected',
  )
/** What every kind has. */
const common = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits, dot, dash and underscore are expected, 64 at most'),
  weight: z.number().min(0).max(1e6).default(1),
  /** Lower ones get new conversations only when all higher ones are out or have no room. */
  priority: z.int().min(0).max(HIGHEST_PRIORITY).default(0),
  enabled: z.boolean().default(true),
  /** What this backend asks for every token beside the price list, such as 0.85 for a discount. */
  price_multiplier: z
    .number()
    .min(0)
    .max(100)
    .refine(
      (factor) => Math.abs(factor * 100 - Math.round(factor * 100)) < 1e-6,
      'two decimals at most are expected',
    )
    .default(1),
  /** Prices of this backend alone, which `price_multiplier` multiplies, too. */
  pricing: z.array(price).default([]),
  /** Leads to it, on Node and Lambda; hosts in the variable NO_PROXY are reached without it. null: none. */
  proxy: proxyUrl.nullable().default(null),
  /** Sent with every request beside those of the call. */
  headers: z.record(ownHeader, headerValue).default({}),
}
const apiKey = headerSecret.min(1, 'a key is required')
/** A part of a host or path. */
const label = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a-z, 0-9 and - are expected')
/** The platform's own: environment, files, roles of the machine. */
const platform = z.literal('platform')

const awsKeys = z.strictObject({
  access_key_id: headerSecret.min(1),
  secret_access_key: headerSecret.min(1),
  session_token: headerSecret.default(''),
})
const ofAws = {
  region: label,
  api_key: apiKey.optional(),
  credentials: z.union([platform, awsKeys]).optional(),
  url: upstreamUrl.optional(),
}
const azureClient = z.strictObject({
  tenant_id: z.string().regex(/^[A-Za-z0-9.-]{1,128}$/, 'letters, digits, dot and dash are expected'),
  client_id: z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'letters, digits and - are expected'),
  client_secret: secret.min(1),
})

const anthropic = z.strictObject({
  ...common,
  type: z.literal('anthropic'),
  url: upstreamUrl,
  api_key: apiKey,
  models,
  /** Where its key goes. Some relays and other families want a bearer token. */
  key_header: z.enum(['x-api-key', 'authorization']).default('x-api-key'),
  openai: z.enum(['translate', 'passthrough']).default('translate'),
  /** Of Anthropic's Admin API, to compare the account's reports of its use with the log; null: nothing is compared. */
  admin_key: apiKey.nullable().default(null),
})
const claudeOnAws = z.strictObject({
  ...common,
  type: z.literal('claude-on-aws'),
  ...ofAws,
  workspace_id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'letters, digits, _ and - are expected'),
  models,
})
const mantle = z.strictObject({
  ...common,
  type: z.literal('bedrock-mantle'),
  ...ofAws,
  models: namedModels,
})
const bedrock = z.strictObject({ ...common, type: z.literal('bedrock'), ...ofAws, models: namedModels })
const vertex = z.strictObject({
  ...common,
  type: z.literal('vertex'),
  /** A region, `global`, `us` or `eu`. */
  region: label,
  project: label,
  api_key: z.never('it has no keys; credentials is expected').optional(),
  /** The platform's own, or the JSON of a service account's key. */
  credentials: z.union([platform, z.strictObject({ service_account: z.string().min(1) })]),
  url: upstreamUrl.optional(),
  models: namedModels,
})
const foundry = z.strictObject({
  ...common,
  type: z.literal('foundry'),
  resource: label.optional(),
  api_key: apiKey.optional(),
  /** The platform's own, or an application of Microsoft Entra. */
  credentials: z.union([platform, azureClient]).optional(),
  url: upstreamUrl.optional(),
  models: namedModels,
})

export const backend = z.preprocess(
  // Files that name no type are older than types.
  (given) =>
    typeof given === 'object' && given !== null && !('type' in given)
      ? { ...given, type: 'anthropic' }
      : given,
  z
    .discriminatedUnion('type', [anthropic, claudeOnAws, mantle, bedrock, vertex, foundry])
    .superRefine((one, context) => {
      const fail = (name: string, message: string) =>
        context.addIssue({ code: 'custom', path: [name], message })
      if (one.type !== 'anthropic' && one.type !== 'vertex') {
        if ((one.api_key === undefined) === (one.credentials === undefined)) {
          fail('api_key', 'either api_key or credentials is expected')
        }
      }
      if (one.type === 'foundry' && (one.resource === undefined) === (one.url === undefined)) {
        fail('resource', 'either resource or url is expected')
      }
    }),
)
export type BackendConfig = z.output<typeof backend>

export const backends = z
  .array(backend, { error: 'at least one backend is required' })
  .min(1, 'at least one backend is required')
  .superRefine((list, context) => {
    const fail = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    for (const [i, one] of list.entries()) {
      if (list.findIndex(({ name }) => name === one.name) < i) {
        fail([i, 'name'], 'each backend needs a name of its own')
      }
    }
    if (list.length > 0 && list.every(({ enabled, weight }) => !enabled || weight === 0)) {
      fail([], 'at least one backend must be enabled with a weight above 0')
    }
  })

function idOf(one: z.output<typeof model>): string {
  return typeof one === 'string' ? one : one.id
}

/** The models of a backend, by the names that we use. */
export function modelsOf({ models }: Pick<BackendConfig, 'models'>): string[] {
  return models.map(idOf)
}

/**
 * Those that a cloud serves from within a region or a group of them, which it asks more for:
 * https://platform.claude.com/docs/en/about-claude/pricing#third-party-platform-pricing
 */
export function regionalModels(config: BackendConfig): string[] {
  if (config.type === 'vertex') return config.region === 'global' ? [] : modelsOf(config)
  if (config.type !== 'bedrock') return []
  const named = config.models.map((one) => (typeof one === 'string' ? { id: one, upstream: one } : one))
  return named.filter(({ upstream }) => !GLOBAL_PROFILE.test(upstream)).map(({ id }) => id)
}

/** An inference profile whose requests may be served anywhere, as a name or an ARN. */
const GLOBAL_PROFILE = /(^|\/)global\./

/** A backend in core's names. */
export function backendFrom(config: BackendConfig): Backend {
  const { name, type, weight, priority, enabled } = config
  return {
    name,
    kind: type,
    weight,
    priority,
    enabled,
    headers: Object.entries(config.headers),
    proxy: config.proxy ?? undefined,
    bearer: config.type === 'anthropic' && config.key_header === 'authorization',
    url: urlOf(config),
    apiKey: 'api_key' in config ? (config.api_key ?? '') : '',
    models: modelsOf(config),
    speaksOpenAi: config.type === 'anthropic' && config.openai === 'passthrough',
    upstreamModels: new Map(
      config.models.flatMap((one) => (typeof one === 'string' ? [] : [[one.id, one.upstream] as const])),
    ),
    region: 'region' in config ? config.region : '',
    project: config.type === 'vertex' ? config.project : '',
    workspaceId: config.type === 'claude-on-aws' ? config.workspace_id : '',
    credentials: 'credentials' in config ? JSON.stringify(config.credentials ?? '') : '',
    adminKey: config.type === 'anthropic' ? (config.admin_key ?? undefined) : undefined,
  }
}

/** The address as it is given, or the cloud's own. */
function urlOf(config: BackendConfig): string {
  if (config.url !== undefined) return config.url
  switch (config.type) {
    case 'anthropic':
      return config.url
    case 'claude-on-aws':
      return `https://aws-external-anthropic.${config.region}.api.aws`
    case 'bedrock-mantle':
      return `https://bedrock-mantle.${config.region}.api.aws/anthropic`
    case 'bedrock':
      return `https://bedrock-runtime.${config.region}.amazonaws.com`
    case 'vertex':
      return vertexUrl(config.region)
    case 'foundry':
      return `https://${config.resource}.services.ai.azure.com/anthropic`
  }
}

/** https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations */
function vertexUrl(region: string): string {
  if (region === 'global') return 'https://aiplatform.googleapis.com'
  const isLarge = region === 'us' || region === 'eu'
  return isLarge
    ? `https://aiplatform.${region}.rep.googleapis.com`
    : `https://${region}-aiplatform.googleapis.com`
}
