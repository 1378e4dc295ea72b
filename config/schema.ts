/** Every setting with its default and limits. Names are those of the file; durations are parsed to ms, sizes to bytes. */
import * as z from 'zod'
import { isTimeZone } from '../core/calendar.ts'
import { DAY_MS } from '../core/units.ts'
import { backends } from './backends.ts'
import { feishu, ldap, oidc } from './login.ts'
import { headerSecret, signingSecrets } from './secrets.ts'
import { section } from './section.ts'
import { auth } from './sign-in.ts'
import { metrics, otlp, telemetryDestination } from './telemetry.ts'
import {
  databaseUrl,
  dollars,
  duration,
  modelName,
  network,
  originUrl,
  pageOrigin,
  price,
  redisUrl,
  serverPattern,
  size,
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

const models = section({
  default_access: access.default('open'),
  rules: z.array(z.strictObject({ match: modelName, access })).default([]),
})

const limits = section({
  period: z.enum(['daily', 'weekly', 'monthly', 'total']).default('monthly'),
  /** By which days, weeks and months begin. */
  time_zone: z
    .string()
    .refine(isTimeZone, 'an IANA time zone is expected, such as Europe/Berlin')
    .default('UTC'),
  /** Which of several groups' limits for each member holds. */
  group_rule: z.enum(['lowest', 'highest']).default('lowest'),
  default_quota_tokens: count.default(0),
  default_budget_usd: dollars.default(0),
  requests_per_minute: z.int().min(0).max(1_000_000).default(0),
  tokens_per_minute: count.default(0),
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
    oidc,
    ldap,
    feishu,
    organisation: section({ name: z.string().min(1).max(100).default('Claude Gateway') }),
    /** Encrypts what the database keeps of others' secrets; null: no such secrets can be kept. */
    secrets: section({ key: signingSecrets.nullable().default(null) }),
    /** Whether channels may be at private addresses, such as a chat in the company's network. */
    notify: section({ allow_private: z.boolean().default(false) }),
    usage_sync_time: wait.default(300_000),
    usage: section({ keep }),
    audit: section({ keep }),
    model_replacements: z.record(modelName, modelName).default({}),
    model_fallbacks: z.record(modelName, z.array(modelName).min(1).max(5)).default({}),
    models,
    access: section({ networks: z.array(network).default([]) }),
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
    claude_code: section({
      /** Shown beside the code when somebody signs Claude Code in. */
      login_notice: text.max(500).default(''),
      /** The tag of a call that names the group it is booked to. */
      billing_tag: z
        .string()
        .regex(/^[a-z0-9_-]{0,64}$/, 'a-z, 0-9, - and _ are expected')
        .default(''),
      telemetry: z.array(telemetryDestination).max(10).default([]),
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
