/**
 * What one process knows of its backends besides their settings. It outlives a reload, so that neither health nor
 * conversations nor calls under way are forgotten then.
 */

import type { Clock, HealthStore, Logger } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { type Affinity, createAffinity } from './affinity.ts'
import type { ListedModel } from './check.ts'
import { createHealthBook, type HealthBook } from './health-book.ts'
import type { HealthSettings } from './health-change.ts'
import { accountKey, partsOf } from './health-key.ts'
import { createPeople, type People } from './people.ts'
import { createRates, type Rates } from './rates.ts'
import { createTries, type Tries } from './tries.ts'

export interface BackendMemory {
  /** What upstreams answered: true for every process, and shared by the store. */
  shared: HealthBook
  /** What this process learned from its own network. */
  local: HealthBook
  affinity: Affinity
  people: People
  tries: Tries
  rates: Rates
  inFlight: Map<string, number>
  /** By account and by pair: when it last gave anybody a first byte (ms of the clock that never runs backwards). */
  firstByteAt: Map<string, number>
  /** By account: when any of its models last served a call (ms since 1970). */
  servedAt: Map<string, number>
  /** By a backend's url: when it last could not be connected to (ms of the clock that never runs backwards). */
  unreachableAt: Map<string, number>
  /** By backend: the models that it listed last and when (ms that never run backwards); whether it ever answered. */
  listings: Map<string, { models: ListedModel[]; readAt: number; answered: boolean }>
  store: HealthStore
  /** Backends that were not there before, or have another address or credential since. */
  newcomers: Set<string>
  /** Puts settings in force; backends with another address or credential start healthy. */
  adopt(backends: readonly Backend[], settings: HealthSettings): void
}

export function createBackendMemory(parts: {
  store: HealthStore
  clock: Clock
  logger: Logger
  settings: HealthSettings
  waitUntil(work: Promise<unknown>): void
}): BackendMemory {
  const { store, clock, logger, waitUntil } = parts
  let settings = parts.settings
  const book = (kept: HealthStore | undefined) =>
    createHealthBook({ store: kept, settings: () => settings, clock, logger, waitUntil })
  const shared = book(store)
  const local = book(undefined)
  const identities = new Map<string, string>()
  const listings: BackendMemory['listings'] = new Map()
  const newcomers = new Set<string>()

  return {
    shared,
    local,
    store,
    affinity: createAffinity(),
    people: createPeople(),
    tries: createTries(clock),
    rates: createRates(),
    inFlight: new Map(),
    firstByteAt: new Map(),
    servedAt: new Map(),
    unreachableAt: new Map(),
    listings,
    newcomers,
    adopt(backends, next) {
      settings = next
      newcomers.clear()
      const names = new Set(backends.map(({ name }) => name))
      store.adopt?.([...names])
      // What is gone lists nothing; its health stays, in case it comes back.
      for (const name of listings.keys()) if (!names.has(name)) listings.delete(name)
      for (const backend of backends) {
        const { kind, region, project, workspaceId, credentials } = backend
        const headers = JSON.stringify(backend.headers)
        const place = [kind, region, project, workspaceId, credentials, headers].join(' ')
        const identity = `${backend.url} ${backend.apiKey} ${backend.speaksOpenAi} ${backend.bearer} ${backend.proxy} ${place}`
        const known = identities.get(backend.name)
        identities.set(backend.name, identity)
        if (known === identity) continue
        newcomers.add(backend.name)
        listings.delete(backend.name)
        if (known !== undefined) renew(backend.name)
      }
    },
  }

  function renew(name: string) {
    for (const kept of [shared, local]) {
      for (const key of keysOf(kept, name)) kept.record(key, { kind: 'renewed', at: clock.now() })
    }
  }
}

/** The keys of an account and of its pairs. */
export function keysOf(book: HealthBook, name: string): string[] {
  return [...book.entries()]
    .map(([key]) => key)
    .filter((key) => partsOf(key).backend === name || key === accountKey(name))
}
