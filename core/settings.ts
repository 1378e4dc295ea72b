/** The settings that core needs. config/settings.ts fills them in; core reads no files and no environment. */
export type Period = 'daily' | 'weekly' | 'monthly' | 'total'
export type Access = 'open' | 'approval' | 'closed'

export const KIND_NAMES = [
  'anthropic',
  'bedrock-mantle',
  'claude-on-aws',
  'foundry',
  'bedrock',
  'vertex',
] as const
export type KindName = (typeof KIND_NAMES)[number]

export const HIGHEST_PRIORITY = 100

export interface Backend {
  name: string
  /** What it speaks: core/backends/kinds. */
  kind: KindName
  /** Base address without a trailing slash, e.g. https://api.anthropic.com */
  url: string
  /** '' where a driver of `Credentials` proves who asks. */
  apiKey: string
  /** Relative share of new conversations; 0 drains the backend: it gets none. */
  weight: number
  /** URL of the proxy that leads to it; undefined: none. */
  proxy: string | undefined
  /** Its key goes as a bearer token, as relays and other families want it. */
  bearer: boolean
  /** Lower ones get new conversations only when all higher ones are out or have no room; 0 to HIGHEST_PRIORITY. */
  priority: number
  enabled: boolean
  /** Globs of the models it serves; empty = all. */
  models: readonly string[]
  /** It serves OpenAI's API itself, so that such calls are forwarded untranslated. */
  speaksOpenAi: boolean
  /** What its kind calls the models that it calls otherwise, by the names that we use. */
  upstreamModels: ReadonlyMap<string, string>
  /** Where its cloud keeps it; '' where the kind has no such thing. */
  region: string
  project: string
  workspaceId: string
  /** What its `Credentials` are made from, as text, so that a change is noticed; '' with an API key. */
  credentials: string
  /** Sent with every request beside those of the call. */
  headers: readonly (readonly [name: string, value: string])[]
  /** Reads the account's reports of its own use; undefined: nothing is compared. */
  adminKey?: string | undefined
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

export type Signal = 'metrics' | 'logs' | 'traces'
/** A collector that gets what Claude Code tells of itself. */
export interface TelemetryDestination {
  /** Without /v1/metrics and a trailing slash, e.g. http://localhost:4318 */
  endpoint: string
  headers: Readonly<Record<string, string>>
  signals: readonly Signal[]
}

export interface Settings {
  auth: AuthSettings
  /** How long people go on, in ms: while their provider cannot be asked; without a sign-in where it is not asked. */
  identity: { graceMs: number; reverifyMs: number }
  /** What programs read as the name of the organisation. */
  organisationName: string
  /** The first seals what is stored encrypted, all open it; undefined where nothing can be. */
  secretKeys: readonly [string, ...string[]] | undefined
  /** Whether channels may be at private addresses, and there without TLS. */
  notify: { allowPrivate: boolean }
  backends: readonly Backend[]
  /** In file order: [exact model or glob, model that is sent instead]. */
  modelReplacements: readonly (readonly [pattern: string, model: string])[]
  /** [model, those that are sent instead where no backend can serve it]. */
  modelFallbacks: readonly (readonly [model: string, others: readonly string[]])[]
  models: { defaultAccess: Access; rules: readonly { match: string; access: Access }[] }
  limits: {
    period: Period
    /** IANA zone by which days, weeks and months of limits begin. */
    timeZone: string
    /** Which of several groups' limits for each member holds. */
    groupRule: 'lowest' | 'highest'
    defaultQuotaTokens: number
    defaultBudgetMicros: number
    requestsPerMinute: number
    /** Input without cache reads, and output; 0 = unlimited. */
    tokensPerMinute: number
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
  claudeCode: {
    /** Shown beside the code when somebody signs Claude Code in; '' = nothing. */
    loginNotice: string
    /** The tag by which a call names the group it is booked to; undefined = none. */
    billingTag: string | undefined
    telemetry: readonly TelemetryDestination[]
  }
  /** Origin of the dashboard in the browser: scheme, host and port; '' when unknown. */
  publicUrl: string
  /** CIDR networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[]
  /** CIDR networks from which calls are taken; empty = any. */
  callNetworks: readonly string[]
  /** Origins whose pages may call what takes an API key. */
  corsOrigins: readonly string[]
}
