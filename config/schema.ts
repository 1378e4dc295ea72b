/** Every setting with its default and limits. Names are those of the file; durations are parsed to ms, sizes to bytes. */
import * as z from 'zod'
import { DAY_MS } from '../core/units.ts'
import { headerSecret, secret, signingSecrets } from './secrets.ts'
import { section } from './section.ts'
import { metrics, otlp } from './telemetry.ts'
import {
  databaseUrl,
  dollars,
  duration,
  itcode,
  modelName,
  network,
  optionalUrl,
  originUrl,
  pageOrigin,
  redisUrl,
  serverPattern,
  size,
  upstreamUrl,
  wait,
  waitOrNone,
} from './values.ts'

const count = z.int().min(0)
const text = z.string()
const access = z.enum(['open', 'approval', 'closed'])

const server = section({
  port: z.int().min(0).max(65_535).default(8080),
  host: z.string().min(1).default('0.0.0.0'),
  mode: z.enum(['debug', 'release']).default('release'),
  public_url: originUrl.default(''),
  trusted_proxies: z.array(network).default([]),
  cors_origins: z.array(pageOrigin).default([]),
  /** How long new calls are still taken after SIGTERM, while /readyz says 503 already. */
  drain_delay: waitOrNone.default(5_000),
  /** How long answers may continue after that. */
  drain_timeout: wait.default(30_000),
  /** Processes that share the port. */
  workers: z.int().min(1).max(64).default(1),
})

const database = section({
  path: z.string().min(1).default('data/gateway.db'),
  url: databaseUrl.default(''),
  auth_token: headerSecret.default(''),
})

const backup = section({
  /** null: no backups are made. */
  every: duration.nullable().default(null),
  keep: z.int().min(1).max(10_000).default(7),
  /** '': backups, beside the database. */
  folder: text.default(''),
})

const journal = section({
  /** Whether an answer waits until its record is on the disk itself, so that power loss loses no row. */
  fsync: z.boolean().default(false),
})

/** How long rows are kept; null: for ever. The last days are needed to check sums. */
const keep = duration
  .refine((ms) => ms >= 2 * DAY_MS, 'at least 2d is expected')
  .nullable()
  .default(null)

const log = section({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  format: z.enum(['json', 'text']).default('json'),
})

const smtp = section({
  host: text.default(''),
  port: z.int().min(1).max(65_535).default(587),
  /** true: TLS from the first byte (port 465). false: STARTTLS if the server offers it. */
  tls: z.boolean().default(false),
  user: text.default(''),
  password: secret.default(''),
  from: text.default(''),
})

const auth = section({
  session_secret: signingSecrets,
  session_max_age: z.int().min(60).max(31_536_000).default(86_400),
  /** A session ends after this long without a request. */
  session_idle: duration.default(43_200_000),
  code_expiry: duration.default(300_000),
  /** 8 letters of 20 (20^8 codes), or 6 digits (10^6 codes), which are 25,600 times easier to guess. */
  code_style: z.enum(['letters', 'digits']).default('letters'),
  admin_itcode: itcode.default(''),
  send_code_url: optionalUrl.default(''),
  smtp,
  email_domain: text.default(''),
  allowed_domains: z.array(z.string().min(1)).default([]),
  auto_register: z.boolean().default(true),
  invite_code: secret.default(''),
}).superRefine(({ send_code_url, smtp: { host, from } }, context) => {
  if (host && send_code_url) {
    const message = 'either a mail server or send_code_url is expected, not both'
    context.addIssue({ code: 'custom', path: ['smtp', 'host'], message })
  }
  if (host && !from) {
    context.addIssue({ code: 'custom', path: ['smtp', 'from'], message: "the sender's address is expected" })
  }
})

const models = section({
  default_access: access.default('open'),
  rules: z.array(z.strictObject({ match: modelName, access })).default([]),
})

const limits = section({
  period: z.enum(['daily', 'weekly', 'monthly', 'total']).default('monthly'),
  default_quota_tokens: count.default(0),
  default_budget_usd: dollars.default(0),
  requests_per_minute: z.int().min(0).max(1_000_000).default(0),
  concurrent_requests: count.default(0),
  max_body_bytes: z.int().min(1024).max(268_435_456).default(33_554_432),
  /**
   * Bytes that all request bodies in one process may take up together; one user may have a quarter of them. null: a quarter
   * of the memory there is.
   */
  body_memory: size.nullable().default(null),
  /** The most output tokens that a reservation assumes while much of a limit is left; null: max_tokens. */
  reserve_output: count.nullable().default(null),
  fail_closed: z.boolean().default(false),
  store: z.enum(['local', 'database', 'redis', 'durable-object']).default('local'),
})

const health = section({
  startup_check: z.enum(['normal', 'strict', 'off']).default('normal'),
  failure_threshold: z.int().min(1).max(1000).default(5),
  cooldown: duration.default(30_000),
  store: z.enum(['memory', 'database', 'redis', 'durable-object']).default('memory'),
})

const everything = ['*']
const messages = section({
  web_search: z.boolean().default(true),
  betas: z.array(modelName).default(everything),
  server_tools: z.array(modelName).default(everything),
  mcp_servers: z.array(serverPattern).default(everything),
})

const backend = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'letters, digits, dot, dash and underscore are expected, 64 at most'),
  type: z.literal('anthropic').default('anthropic'),
  url: upstreamUrl,
  api_key: headerSecret.min(1, 'a key is required'),
  weight: z.number().min(0).max(1e6).default(1),
  enabled: z.boolean().default(true),
  models: z.array(modelName).default([]),
  openai: z.enum(['translate', 'passthrough']).default('translate'),
})

const backends = z
  .array(backend, { error: 'at least one backend is required' })
  .min(1, 'at least one backend is required')
  .superRefine((list, context) => {
    for (const [i, { name }] of list.entries()) {
      if (list.findIndex((other) => other.name === name) < i) {
        context.addIssue({
          code: 'custom',
          path: [i, 'name'],
          message: 'each backend needs a name of its own',
        })
      }
    }
    if (list.length > 0 && list.every(({ enabled, weight }) => !enabled || weight === 0)) {
      context.addIssue({
        code: 'custom',
        message: 'at least one backend must be enabled with a weight above 0',
      })
    }
  })

const rate = z.number().min(0).max(1e6)
const price = z.strictObject({
  model: modelName,
  effective_from: z.iso.date().optional(),
  input: rate,
  output: rate,
  cache_read: rate,
  cache_write_5m: rate,
  cache_write_1h: rate,
})

export const Config = z
  .strictObject({
    server,
    database,
    backup,
    journal,
    log,
    metrics,
    otlp,
    auth,
    usage_sync_time: wait.default(300_000),
    usage: section({ keep }),
    audit: section({ keep }),
    model_replacements: z.record(modelName, modelName).default({}),
    models,
    limits,
    health,
    balancer: section({ strategy: z.enum(['sticky', 'random']).default('sticky') }),
    retry: section({
      max_attempts: z.int().min(1).max(20).default(3),
      first_byte_timeout: wait.default(120_000),
      whole_answer_timeout: wait.default(600_000),
      idle_timeout: wait.default(300_000),
    }),
    messages,
    objects: section({ unknown: z.enum(['refuse', 'pass']).default('refuse') }),
    openai: section({
      web_search: z.boolean().default(false),
      automatic_caching: z.boolean().default(true),
    }),
    backends,
    /** Prices that override config/pricing.json, in US dollars per million tokens. */
    pricing: z.array(price).default([]),
    /** The Redis of the stores that are set to redis; its URL may contain a password. */
    redis: section({ url: redisUrl.default(''), cluster: z.boolean().default(false) }),
  })
  .superRefine(({ database, backup, health, limits, redis }, context) => {
    const fail = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (backup.every !== null && database.url !== '') {
      fail(['backup', 'every'], 'a libSQL server is backed up where it runs; null is expected')
    }
    if ((health.store === 'redis' || limits.store === 'redis') && redis.url === '') {
      fail(['redis', 'url'], 'the address of Redis is expected')
    }
  })
export type Config = z.output<typeof Config>
