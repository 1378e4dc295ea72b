/** The models that the backends list. Reading the list is also the health check, because one request does both. */
import type { Balancer } from '../backends/balancer.ts'
import { type ListedModel, type ListFinding, readModels } from '../backends/check.ts'
import type { CredentialsOf } from '../backends/credentials.ts'
import { matchesAny } from '../glob.ts'
import type { Clock, Logger, Upstream } from '../ports.ts'
import type { Backend, Settings } from '../settings.ts'
import { atMost, sharedWork, type WaitUntil } from '../shared-work.ts'
import { DAY_MS } from '../units.ts'

export type { ListedModel }

const FRESH_MS = DAY_MS
const RETRY_MS = 60_000
/** So long a list is waited for where others are known, because one silent backend would hold up everybody's. */
const PATIENCE_MS = 2_000

export interface Catalogue {
  /** Checks all enabled backends that are new, in parallel, as `health.startup_check` says. Never rejects. */
  checkAll(): Promise<void>
  /** Checks one backend for an administrator and returns whether it answered. If so, calls may go to it at once. */
  check(backend: Backend): Promise<boolean>
  /**
   * The models of all enabled backends, each once, in the backends' order. Lists that are missing or a day old are read. One
   * that takes long is in the list of who asks once it is there, unless no list is known yet.
   */
  models(): Promise<ListedModel[]>
  /** Whether any backend ever answered; if not, an empty list means nothing. */
  answered(): boolean
  /** Reads lists that are a day old again. */
  refresh(): Promise<void>
  /** The entry of this model in the lists read so far; never waits. */
  known(model: string): ListedModel | undefined
  /** Ids of the models that this backend listed; undefined if it never did. */
  listedBy(backend: Backend): readonly string[] | undefined
  /** False until the start-up check is over or has found a backend that can be used. */
  ready(): boolean
}

interface Reading {
  found: Promise<ListFinding>
  /** Resolves with it, or PATIENCE_MS after its start. */
  enough: Promise<void>
}

export function createCatalogue(parts: {
  settings: Settings
  upstream: Upstream
  credentialsOf?: CredentialsOf | undefined
  clock: Clock
  logger: Logger
  balancer: Balancer
  /** Calls were served before a reload, so that the gateway is ready without a start-up check. */
  serving: boolean
  waitUntil: WaitUntil
}): Catalogue {
  const { settings, clock, logger, balancer } = parts
  const enabled = () => balancer.views().flatMap(({ backend }) => (backend.enabled ? [backend] : []))
  const { listings, newcomers } = balancer.memory
  const isStale = ({ name }: Backend) => {
    const listing = listings.get(name)
    return !listing || clock.elapsed() - listing.readAt > FRESH_MS
  }
  let ready = parts.serving || settings.health.startupCheck === 'off'

  const answered = () => enabled().some(({ name }) => listings.get(name)?.answered === true)

  const readingOf = createReadings(parts, readAgain)
  const read = (backend: Backend) => readingOf(backend).found
  async function readAgain(backend: Backend) {
    const found = await readModels(parts, backend)
    const listed = found.kind === 'listed'
    const before = listings.get(backend.name)
    listings.set(backend.name, {
      // The last known list stays while the backend is down.
      models: listed ? found.models : (before?.models ?? []),
      answered: before?.answered === true || listed || found.kind === 'no_list',
      readAt: listed ? clock.elapsed() : clock.elapsed() - FRESH_MS + RETRY_MS,
    })
    if ('reason' in found)
      logger.warn('backend.check_failed', { backend: backend.name, reason: found.reason })
    else if (found.kind === 'no_list') {
      logger.warn('backend.no_model_list', {
        backend: backend.name,
        status: found.status,
        hint: 'is its url right?',
      })
    }
    return found
  }
  async function checkAtStart(backend: Backend) {
    const found = await read(backend)
    const strict = settings.health.startupCheck === 'strict'
    if (found.kind === 'refused' || (found.kind === 'down' && strict)) {
      balancer.learnFromCheck(backend, { kind: 'refused', reason: found.reason, forGood: strict })
    } else if (found.kind === 'down') balancer.learnFromCheck(backend, found)
    else ready = true
  }

  return {
    async check(backend) {
      const found = await read(backend)
      if (found.kind === 'refused') balancer.learnFromCheck(backend, { ...found, forGood: false })
      else if (found.kind === 'down') balancer.learnFromCheck(backend, found)
      else {
        ready = true
        balancer.reopen(backend.name)
        return true
      }
      return false
    },
    async checkAll() {
      if (settings.health.startupCheck !== 'off') {
        await Promise.all(
          enabled()
            .filter(({ name }) => newcomers.has(name))
            .map(checkAtStart),
        )
      }
      ready = true
    },
    async models() {
      const started = enabled().filter(isStale).map(readingOf)
      await Promise.all(started.map(({ enough }) => enough))
      if (!answered()) await firstAnswer(started)
      return merged(enabled(), listings)
    },
    answered,
    async refresh() {
      await Promise.all(
        enabled()
          .filter((backend) => listings.has(backend.name) && isStale(backend))
          .map(read),
      )
    },
    known(model) {
      for (const { models } of listings.values()) {
        const found = models.find(({ id }) => id === model)
        if (found) return found
      }
      return undefined
    },
    listedBy({ name }) {
      const models = listings.get(name)?.models ?? []
      return models.length > 0 ? models.map(({ id }) => id) : undefined
    },
    ready: () => ready,
  }
}

/** A list is read once for all who ask meanwhile. */
function createReadings(
  { clock, waitUntil }: { clock: Clock; waitUntil: WaitUntil },
  read: (backend: Backend) => Promise<ListFinding>,
): (backend: Backend) => Reading {
  const running = new Map<string, Reading>()
  return (backend) => {
    const { name } = backend
    const begun = running.get(name)
    if (begun) return begun
    const found = sharedWork(
      read(backend).finally(() => running.delete(name)),
      waitUntil,
    )
    const reading = { found, enough: sharedWork(atMost(PATIENCE_MS, found, clock), waitUntil) }
    running.set(name, reading)
    return reading
  }
}

/** Resolves once one of them has answered, or none has. */
async function firstAnswer(started: readonly Reading[]): Promise<void> {
  const answers = started.map(async ({ found }) => {
    const { kind } = await found
    if (kind !== 'listed' && kind !== 'no_list') throw new Error(`The list of models is ${kind}.`)
  })
  await Promise.any(answers).catch(() => {})
}

function merged(backends: readonly Backend[], listings: Balancer['memory']['listings']): ListedModel[] {
  const models = new Map<string, ListedModel>()
  for (const backend of backends) {
    for (const model of listings.get(backend.name)?.models ?? []) {
      const served = backend.models.length === 0 || matchesAny(backend.models, model.id)
      if (served && !models.has(model.id)) models.set(model.id, model)
    }
  }
  return [...models.values()]
}
