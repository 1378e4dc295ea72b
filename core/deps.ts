/** Everything a handler may touch, wired together in one place. Built once per process or isolate, never imported. */
import { type Balancer, createBalancer } from './backends/balancer.ts'
import { createDirectory, type Directory } from './keys/directory.ts'
import type { Sha256 } from './keys/mint.ts'
import { type Catalogue, createCatalogue } from './models/catalogue.ts'
import type { AbilityTable } from './openai/abilities.ts'
import type { Policy } from './policy.ts'
import type { Clock, CodeSender, Db, HealthStore, Ledger, Logger, Site, Upstream, Wire } from './ports.ts'
import type { Prices } from './usage/price.ts'

/** What an adapter brings. */
export interface Parts {
  db: Db
  health: HealthStore
  ledger: Ledger
  upstream: Upstream
  codes: CodeSender
  clock: Clock
  logger: Logger
  policy: Policy
  prices: Prices
  abilities: AbilityTable
  sha256: Sha256
  /** A number in [0, 1) for spreading load: no secret comes from it. */
  random: () => number
  /** Keeps the runtime alive until the work is done, after the response has left. */
  waitUntil(work: Promise<unknown>): void
  wire: Wire
  site?: Site
  /** False once this process takes no new work. */
  accepting(): boolean
  /** Whether these deps take over from others, between two requests. */
  serving?: boolean
}

export interface Deps extends Parts {
  balancer: Balancer
  directory: Directory
  catalogue: Catalogue
}

export function createDeps(parts: Parts): Deps {
  const { policy, clock, logger, health, random, waitUntil } = parts
  const balancer = createBalancer({ policy, store: health, clock, logger, random, waitUntil })
  return {
    ...parts,
    balancer,
    directory: createDirectory(parts),
    catalogue: createCatalogue({ ...parts, balancer, serving: parts.serving ?? false }),
  }
}
