/** The settings the core needs. Configuration fills them in; core never reads files or environment. */
export type Period = 'daily' | 'weekly' | 'monthly' | 'total'
export type Access = 'open' | 'approval' | 'closed'

export interface Backend {
  name: string
  /** Base address without a trailing slash, e.g. https://api.anthropic.com */
  url: string
  apiKey: string
  /** Share of new sessions. 0 drains: no new sessions. */
  weight: number
  enabled: boolean
  /** Globs of the models it serves; empty = all. */
  models: readonly string[]
  /** It serves OpenAI's interface itself: calls in it are handed on as they are. */
  speaksOpenAi: boolean
}

export interface AuthSettings {
  /** The first signs sessions, all verify. */
  secrets: readonly [string, ...string[]]
  sessionMaxAgeMs: number
  sessionIdleMs: number
  codeExpiryMs: number
  codeStyle: 'letters' | 'digits'
  /** Made an active admin at the start when there is none; '' = nobody. */
  adminItcode: string
  emailDomain: string
  /** Lower-case mail domains that may register; empty = any. */
  allowedDomains: readonly string[]
  autoRegister: boolean
  /** '' = none is asked for. */
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
    /** Of all bodies under way together, where one memory holds them. */
    bodyMemoryBytes: number
    /** The most output tokens a reservation assumes while much is left; undefined: all that are asked for. */
    reserveOutputTokens: number | undefined
    failClosed: boolean
  }
  health: { startupCheck: 'normal' | 'strict' | 'off'; failureThreshold: number; cooldownMs: number }
  balancer: { strategy: 'sticky' | 'random' }
  retry: {
    maxAttempts: number
    firstByteTimeoutMs: number
    /** The longest that a whole (not streamed) answer may take. */
    wholeAnswerTimeoutMs: number
    idleTimeoutMs: number
  }
  /** What callers of /v1/messages may ask for: names and addresses with `*`; none where a list is empty. */
  messages: {
    /** Searches cost extra. */
    webSearch: boolean
    betas: readonly string[]
    /** Types of tools that the upstream runs itself. */
    serverTools: readonly string[]
    mcpServers: readonly string[]
  }
  objects: {
    /** What becomes of ids that nobody here is known to own: see core/objects/owner.ts. */
    unknown: 'refuse' | 'pass'
  }
  openai: {
    /** Web search may be asked for; it costs extra. */
    webSearch: boolean
    /** Long prompts with tools are kept by Claude's cache without being asked. */
    automaticCaching: boolean
  }
  /** How often the hourly sums are compared with the log. */
  usageSyncMs: number
  /** Where people reach the dashboard: scheme, host and port; '' when unknown. */
  publicUrl: string
  /** CIDR networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[]
}
