/** Warnings about a valid configuration that may be unsafe, or does nothing. They never contain a secret. */
import { modelsOf, regionalModels } from './backends.ts'
import type { ConfigProblem } from './error.ts'
import type { Config } from './schema.ts'

export interface Known {
  /** Whether the model has a price; models without one are billed as the most expensive. */
  hasPrice(model: string): boolean
  /** Whether there is an active administrator; undefined = unknown. */
  hasAdmin?: boolean
  /** Whether the gateway itself listens on a port. */
  listens: boolean
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/i

/** One problem per warning; `path` is the setting to change. */
export function warningsOf(config: Config, known: Known): ConfigProblem[] {
  return [
    ...ofPeople(config, known),
    ...ofLogins(config),
    ...ofAddresses(config, known),
    ...ofStores(config),
    ...ofFigures(config, known),
    ...ofPrices(config, known),
    ...ofRegions(config),
  ]
}

function* ofFigures({ metrics, otlp }: Config, { listens }: Known): Generator<ConfigProblem> {
  if (listens) return
  const message = 'figures are told on Node only; here the log has them, in call.done'
  if (metrics.port !== null || metrics.token !== '') yield { path: 'metrics', message }
  if (otlp.endpoint !== '') yield { path: 'otlp.endpoint', message }
}

function* ofPeople({ auth, limits }: Config, { hasAdmin }: Known): Generator<ConfigProblem> {
  const isOpen = auth.auto_register && auth.invite_code === '' && auth.allowed_domains.length === 0
  const isUnlimited = limits.default_budget_usd === 0 && limits.default_quota_tokens === 0
  if (isOpen && isUnlimited) {
    yield {
      path: 'auth.auto_register',
      message:
        'anybody can register and spend without limit; set allowed_domains, invite_code or auto_register: false, or limits.default_budget_usd',
    }
  }
  if (!hasAdmin && auth.admin_itcode === '') {
    const message =
      hasAdmin === undefined
        ? 'nobody is made an administrator at the start; without one nobody can look after users, models and backends'
        : 'there is no administrator; name yourself, and sign in'
    yield { path: 'auth.admin_itcode', message }
  }
  if (auth.send_code_url === '' && auth.smtp.host === '') {
    yield {
      path: 'auth.send_code_url',
      message:
        'sign-in codes are written to the log, where whoever reads it can use them; set it or auth.smtp',
    }
  }
}

function* ofLogins({ server, secrets, auth, oidc, feishu }: Config): Generator<ConfigProblem> {
  if (oidc.providers.length === 0 && feishu.app_id === '') return
  if (server.public_url === '') {
    const message = 'people cannot sign in at providers without it, because they have to be led back to it'
    yield { path: 'server.public_url', message }
  }
  if (feishu.app_id !== '' && feishu.app_secret === '') {
    yield { path: 'feishu.app_secret', message: 'nobody can sign in with Feishu without it' }
  }
  if (secrets.key === null) {
    const message =
      'no refresh tokens are kept without it, so that somebody who leaves goes on until oidc.reverify'
    yield { path: 'secrets.key', message }
  }
  for (const [i, { groups_claim, groups_prefix }] of oidc.providers.entries()) {
    const alike = (other: (typeof oidc.providers)[number]) =>
      groups_claim !== '' && other.groups_claim !== '' && other.groups_prefix === groups_prefix
    if (!oidc.providers.slice(0, i).some(alike)) continue
    const message =
      'whoever names groups at this provider puts people into those of another; set a prefix, and write it before their external ids'
    yield { path: `oidc.providers.${i}.groups_prefix`, message }
  }
  for (const [i, { issuer, register, allowed_groups }] of oidc.providers.entries()) {
    const isPublic =
      /^https:\/\/(accounts\.google\.com|login\.microsoftonline\.com\/(common|consumers))/.test(issuer)
    if (!isPublic || !register || allowed_groups.length + auth.allowed_domains.length > 0) continue
    const message =
      'anybody in the world has an account at this provider, and gets one here; set auth.allowed_domains'
    yield { path: `oidc.providers.${i}.register`, message }
  }
}

function* ofAddresses({ server, metrics }: Config, { listens }: Known): Generator<ConfigProblem> {
  if (!listens) return
  const isHttps = server.public_url.startsWith('https:')
  if (!LOOPBACK.test(server.host) && !isHttps) {
    yield {
      path: 'server.host',
      message:
        'keys, prompts and sessions cross the network in the clear; put TLS in front and set public_url to its https address, or listen on 127.0.0.1',
    }
  }
  if (metrics.port !== null && metrics.token === '' && !LOOPBACK.test(metrics.host)) {
    yield {
      path: 'metrics.token',
      message:
        'whoever reaches the port reads what the gateway does and costs; set a token, or listen on 127.0.0.1',
    }
  }
  const isDirect = server.public_url.startsWith('http:') && portOf(server.public_url) === server.port
  if (server.public_url !== '' && !isDirect && server.trusted_proxies.length === 0) {
    yield {
      path: 'server.trusted_proxies',
      message:
        'the proxy that public_url leads to is not named: limits and audit take all clients for one address',
    }
  }
}

function* ofStores({ limits, health, redis }: Config): Generator<ConfigProblem> {
  if (redis.url !== '' && limits.store !== 'redis' && health.store !== 'redis') {
    yield { path: 'redis.url', message: 'nothing uses it; set limits.store or health.store to redis' }
  }
  if (limits.store !== 'database') return
  yield {
    path: 'limits.store',
    message:
      'each call waits for a write to the database, one after the other, so that about a hundred calls a second are the most; local is as exact for all workers of one machine and as fast as memory, redis for several machines',
  }
}

function portOf(url: string): number {
  return Number(new URL(url).port || 80)
}

function* ofPrices(config: Config, { hasPrice }: Known): Generator<ConfigProblem> {
  const problem = (path: string, model: string) => ({
    path,
    message: `${model} has no price and is billed as the most expensive model; add it to pricing`,
  })
  for (const [pattern, model] of Object.entries(config.model_replacements)) {
    if (!hasPrice(model)) yield problem(`model_replacements.${pattern}`, model)
  }
  const offered = [
    ...Object.entries(config.model_fallbacks).flatMap(([name, others]) =>
      others.map((model, i) => ({ path: `model_fallbacks.${name}.${i}`, model })),
    ),
    ...config.models.rules.flatMap(({ match, access }, i) =>
      access === 'closed' ? [] : [{ path: `models.rules.${i}.match`, model: match }],
    ),
    ...config.backends.flatMap((backend, i) =>
      modelsOf(backend).map((model, j) => ({ path: `backends.${i}.models.${j}`, model })),
    ),
  ]
  for (const { path, model } of offered) {
    // A glob names no single model.
    if (!model.includes('*') && !hasPrice(model)) yield problem(path, model)
  }
}

/** What operators set while the price list did not have it. */
const REGIONAL_TENTH = 1.1

function* ofRegions({ backends }: Config): Generator<ConfigProblem> {
  for (const [i, backend] of backends.entries()) {
    if (backend.price_multiplier !== REGIONAL_TENTH || regionalModels(backend).length === 0) continue
    const message =
      'the tenth that regional endpoints ask for models from 4.5 on is in the price list now; remove it, unless the account asks for another one'
    yield { path: `backends.${i}.price_multiplier`, message }
  }
}
