/** Backends as people and the API see them: the account, and each model of it that is not well. */
import type { Backend } from '../settings.ts'
import { EVIDENCE_MS, type Health, standingOf } from './health.ts'
import { accountKey, partsOf } from './health-key.ts'
import type { BackendMemory } from './memory.ts'

/** The best first. */
export const SHOWN_STATES = [
  'healthy',
  'failing',
  'cooling_down',
  'half_open',
  'ejected',
  'unavailable',
  'disabled',
] as const
type ShownState = (typeof SHOWN_STATES)[number]

export interface HealthView {
  state: ShownState
  /** Why a backend is disabled; undefined in all other states. */
  disabledBy: 'switched_off' | 'refused' | 'unpaid' | undefined
  /** A sentence for people; '' when there is nothing to say. */
  reason: string
  /** Failures of the last minute. */
  failures: number
  /** Since when it is in this state, and when it gets a call again (ms since 1970; 0 for neither). */
  since: number
  until: number
}
export interface BackendStatus extends HealthView {
  backend: Backend
  inFlight: number
  /** Models that are not simply healthy; `other` stands for all that nobody lists. */
  models: (HealthView & { model: string })[]
}

/** Which of a backend's settings hold a secret, in the words of the configuration. */
export const SECRET_SETTINGS = ['api_key', 'credentials', 'admin_key', 'proxy', 'headers'] as const
type SecretSetting = (typeof SECRET_SETTINGS)[number]

/** Credentials that are no secret of the configuration: none, or the platform's own. */
const NO_SECRET = new Set(['', '""', '"platform"'])

/** The secrets that are set, by the names of their settings. */
export function secretsSet(backend: Backend): SecretSetting[] {
  const { apiKey, credentials, adminKey, proxy, headers } = backend
  const isSet: Record<SecretSetting, boolean> = {
    api_key: apiKey !== '',
    credentials: !NO_SECRET.has(credentials),
    admin_key: adminKey !== undefined,
    proxy: proxy !== undefined && proxy !== withoutUser(proxy),
    headers: headers.length > 0,
  }
  return SECRET_SETTINGS.filter((name) => isSet[name])
}

/** The address of a proxy (a URL without a path), without its user and password. */
export function withoutUser(proxy: string): string {
  const { protocol, host } = new URL(proxy)
  return `${protocol}//${host}`
}

export function viewOf(backend: Backend, memory: BackendMemory, now: number): BackendStatus {
  const books = [memory.shared, memory.local]
  const of = (key: string) => worstOf(books.map((book) => healthView(book.get(key), now)))
  const keys = new Set(books.flatMap((book) => [...book.entries()].map(([key]) => key)))
  const models = [...keys].flatMap((key) => {
    const { backend: name, model } = partsOf(key)
    const view = name === backend.name && model !== undefined ? { model, ...of(key) } : undefined
    return view && view.state !== 'healthy' ? view : []
  })
  const account = of(accountKey(backend.name))
  return {
    backend,
    inFlight: memory.inFlight.get(backend.name) ?? 0,
    models: models.sort((a, b) => a.model.localeCompare(b.model)),
    ...(backend.enabled
      ? account
      : { ...account, state: 'disabled', disabledBy: 'switched_off', reason: 'switched off', until: 0 }),
  }
}

function worstOf(views: readonly HealthView[]): HealthView {
  return views.reduce((worst, view) => (isWorse(view.state, worst.state) ? view : worst))
}

export function isWorse(state: ShownState, than: ShownState): boolean {
  return SHOWN_STATES.indexOf(state) > SHOWN_STATES.indexOf(than)
}

function healthView(health: Health | undefined, now: number): HealthView {
  if (!health) return { state: 'healthy', disabledBy: undefined, reason: '', failures: 0, since: 0, until: 0 }
  const failures = health.failures.filter(({ at }) => at > now - EVIDENCE_MS).length
  const state = shownState(health, failures, now)
  const calm = state === 'healthy' || state === 'failing'
  return {
    state,
    disabledBy: state === 'disabled' ? (health.cause === 'unpaid' ? 'unpaid' : 'refused') : undefined,
    reason: state === 'healthy' ? '' : health.reason,
    failures,
    since: health.since,
    until: calm ? 0 : health.until,
  }
}

function shownState(health: Health, failures: number, now: number): ShownState {
  const standing = standingOf(health, now)
  if (standing === 'usable') return failures > 0 ? 'failing' : 'healthy'
  return standing === 'due' || health.until <= now ? 'half_open' : standing
}
