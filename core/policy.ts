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
}

export interface Policy {
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
    /** The most output tokens a reservation assumes. */
    reserveOutputTokens: number
    failClosed: boolean
  }
  health: { startupCheck: 'normal' | 'strict' | 'off'; failureThreshold: number; cooldownMs: number }
  balancer: { strategy: 'sticky' | 'random' }
  retry: { maxAttempts: number; firstByteTimeoutMs: number; idleTimeoutMs: number }
  /** How often the hourly sums are compared with the log. */
  usageSyncMs: number
  /** Where people reach the dashboard; '' when unknown. Used in messages only. */
  publicUrl: string
}
