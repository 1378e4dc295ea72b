/** Converts the configuration to core's settings, with core's names and units. */
import type { Settings } from '../core/settings.ts'
import { microsOf } from '../core/units.ts'
import { backendFrom } from './backends.ts'
import type { Config } from './schema.ts'

/**
 * Where nobody says how much memory there is: a quarter of what an isolate of Workers has,
 * https://developers.cloudflare.com/workers/platform/limits/#memory
 */
const ISOLATE_BODY_BYTES = 32 * 2 ** 20

export function settingsFrom(config: Config): Settings {
  const { limits, health, retry, journal } = config
  return {
    auth: authFrom(config.auth),
    identity: { graceMs: config.oidc.grace, reverifyMs: config.oidc.reverify },
    organisationName: config.organisation.name,
    secretKeys: config.secrets.key ?? undefined,
    notify: { allowPrivate: config.notify.allow_private },
    backends: config.backends.map(backendFrom),
    modelReplacements: Object.entries(config.model_replacements),
    modelFallbacks: Object.entries(config.model_fallbacks),
    models: { defaultAccess: config.models.default_access, rules: config.models.rules },
    limits: limitsFrom(limits),
    journal: { fsync: journal.fsync },
    health: {
      startupCheck: health.startup_check,
      failureThreshold: health.failure_threshold,
      cooldownMs: health.cooldown,
    },
    balancer: config.balancer,
    retry: {
      maxAttempts: retry.max_attempts,
      firstByteTimeoutMs: retry.first_byte_timeout,
      wholeAnswerTimeoutMs: retry.whole_answer_timeout,
      idleTimeoutMs: retry.idle_timeout,
    },
    messages: {
      webSearch: config.messages.web_search,
      betas: config.messages.betas,
      serverTools: config.messages.server_tools,
      mcpServers: config.messages.mcp_servers,
    },
    objects: config.objects,
    claudeCode: {
      loginNotice: config.claude_code.login_notice,
      billingTag: config.claude_code.billing_tag || undefined,
      telemetry: config.claude_code.telemetry,
    },
    openai: { webSearch: config.openai.web_search, automaticCaching: config.openai.automatic_caching },
    keepMs: { usage: config.usage.keep ?? undefined, audit: config.audit.keep ?? undefined },
    usageSyncMs: config.usage_sync_time,
    // With a port of their own they are not where calls are.
    metrics: { token: config.metrics.port === null ? config.metrics.token : '' },
    publicUrl: config.server.public_url,
    trustedProxies: config.server.trusted_proxies,
    callNetworks: config.access.networks,
    corsOrigins: config.server.cors_origins,
  }
}

function authFrom(auth: Config['auth']): Settings['auth'] {
  return {
    secrets: auth.session_secret,
    sessionMaxAgeMs: auth.session_max_age * 1000,
    sessionIdleMs: auth.session_idle,
    codeExpiryMs: auth.code_expiry,
    codeStyle: auth.code_style,
    adminItcode: auth.admin_itcode,
    // The configuration of the original gateway has a leading @.
    emailDomain: auth.email_domain.replace(/^@/, '').toLowerCase(),
    allowedDomains: auth.allowed_domains.map((domain) => domain.replace(/^@/, '').toLowerCase()),
    autoRegister: auth.auto_register,
    inviteCode: auth.invite_code,
  }
}

function limitsFrom(limits: Config['limits']): Settings['limits'] {
  return {
    period: limits.period,
    timeZone: limits.time_zone,
    groupRule: limits.group_rule,
    defaultQuotaTokens: limits.default_quota_tokens,
    defaultBudgetMicros: microsOf(limits.default_budget_usd),
    requestsPerMinute: limits.requests_per_minute,
    tokensPerMinute: limits.tokens_per_minute,
    concurrentRequests: limits.concurrent_requests,
    maxBodyBytes: limits.max_body_bytes,
    bodyMemoryBytes: limits.body_memory ?? ISOLATE_BODY_BYTES,
    reserveOutputTokens: limits.reserve_output ?? undefined,
    failClosed: limits.fail_closed,
  }
}
