/** The settings that core needs. config/settings.ts fills them in; core reads no files and no environment. */
export type Period = 'daily' | 'weekly' | 'monthly' | 'total'
export type Access = 'open' | 'approval' | 'closed'

export interface Backend {
  name: string
  /** Base address without a trailing slash, e.g. https://api.anthropic.com */
  url: string
  apiKey: string
  /** Relative share of new conversations; 0 drains the backend: it gets none. */
  weight: number
  enabled: boolean
  /** Globs of the models it serves; empty = all. */
  models: readonly string[]
  /** It serves OpenAI's API itself, so that such calls are forwarded untranslated. */
  speaksOpenAi: boolean
}

export interface AuthSettings {
  /** The first secret signs sessions and hashes codes; all of them verify sessions. */
  secrets: readonly [string, ...string[]]
  sessionMaxAgeMs: number
  sessionIdleMs: number
  codeExpiryMs: number
  codeStyle: 'letters' | 'digits'
  /** Account that becomes an active admin at the start if there is none; '' = nobody. */
  adminItcode: string
  emailDomain: string
  /** Lower-case mail domains that may register; empty = any. */
  allowedDomains: readonly string[]
  autoRegister: boolean
  /** Invite code for signing in; '' = none is needed. */
  inviteCode: string
}

export interface Settings {
  auth: AuthSettings
  backends: readonly Backend[]
  /** In file order: [exact model or glob, model that is sent instead]. */
  modelReplacements: readonly (readonly [pattern: string, model: string])[]
  models: { defaultAccess: Access; rules: readonly { match: string; access: Access }[] }
  limits: {
    period: Period
    defaultQuotaTokens: number
    defaultBudgetMicros: number
    requestsPerMinute: number
    concurrentRequests: number
    maxBodyBytes: number
    /** The most bytes that all request bodies in one process may take up together. */
    bodyMemoryBytes: number
    /** The most output tokens that a reservation assumes while much of a limit is left; undefined: max_tokens. */
    reserveOutputTokens: number | undefined
    failClosed: boolean
  }
  /** `fsync`: an answer's last byte waits until its record cannot be lost by power loss. */
  journal: { fsync: boolean }
  health: { startupCheck: 'normal' | 'strict' | 'off'; failureThreshold: number; cooldownMs: number }
  balancer: { strategy: 'sticky' | 'random' }
  retry: {
    maxAttempts: number
    firstByteTimeoutMs: number
    /** The longest that an answer that is not streamed may take. */
    wholeAnswerTimeoutMs: number
    idleTimeoutMs: number
  }
  /** What callers of /v1/messages may use. Lists hold globs; an empty one allows nothing. */
  messages: {
    /** Whether web search may be used, which is billed per search. */
    webSearch: boolean
    betas: readonly string[]
    /** Types of tools that run at the upstream. */
    serverTools: readonly string[]
    mcpServers: readonly string[]
  }
  objects: {
    /** What happens to calls that name an object whose owner is unknown: see core/objects/owner.ts. */
    unknown: 'refuse' | 'pass'
  }
  openai: {
    /** Whether web search may be used, which is billed per search. */
    webSearch: boolean
    /** Whether long prompts with tools are cached although the client did not ask for it. */
    automaticCaching: boolean
  }
  /** For how long, in ms, rows are kept; undefined: for ever. */
  keepMs: { usage: number | undefined; audit: number | undefined }
  /** How often, in ms, the sums are compared with the log. */
  usageSyncMs: number
  /** `token`: with which metrics are read where calls are taken; '' where they are not. */
  metrics: { token: string }
  /** Origin of the dashboard in the browser: scheme, host and port; '' when unknown. */
  publicUrl: string
  /** CIDR networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[]
  /** Origins whose pages may call what takes an API key. */
  corsOrigins: readonly string[]
}
