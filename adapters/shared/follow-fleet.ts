/** Puts stored backends in force while the gateway runs: in this process at once, in others when they look. */
import type { Config } from '../../config/schema.ts'
import { settingsFrom } from '../../config/settings.ts'
import { renewCredentials } from '../../core/backends/credentials.ts'
import type { Fleet } from '../../core/backends/fleet.ts'
import type { Deps } from '../../core/deps.ts'
import { lookAfterCommits, oneLookAtATime } from '../../core/looking.ts'
import type { BackendChange } from '../../core/serving.ts'
import { createFleetReader, type FleetParts, type FoundFleet } from './fleet.ts'
import { pricesFrom } from './tables.ts'

/**
 * The deps in force; calls under way keep those that they began with. `begin` makes the first ones. Throws ConfigError, or what
 * the database throws.
 */
export async function followFleet(
  config: Config,
  parts: FleetParts,
  begin: (change: BackendChange, fleet: Fleet) => Deps,
): Promise<() => Deps> {
  const { logger, clock, waitUntil } = parts
  const reader = createFleetReader(config, parts)
  let lookedAt = clock.elapsed()
  const first = await reader.look()
  if (!first) throw new Error('The first look at the backends finds them all.')
  const takeOver = lookAfterCommits(async () => {
    const found = await reader.look()
    if (!found) return
    current = current.withBackends(changeFrom(found))
    waitUntil(renewCredentials(current))
    waitUntil(current.catalogue.checkAll())
    logger.info('backends.changed', { backends: found.config.backends.length })
  }, parts.lastCommit)
  const refresh = oneLookAtATime(async () => {
    const startedAt = clock.elapsed()
    await takeOver()
    lookedAt = startedAt
  }, parts)
  const untroubled = () =>
    refresh().catch((cause) => logger.error('backends.look_failed', { cause: String(cause) }))
  const fleet: Fleet = {
    fileNames: reader.fileNames,
    parse: reader.parse,
    unused: reader.unused,
    refresh,
    async changed() {
      await untroubled()
      return current.balancer
    },
    fresh: (maxAgeMs) => (clock.elapsed() - lookedAt > maxAgeMs ? untroubled() : undefined),
  }
  let current: Deps = begin(changeFrom(first), fleet)
  return () => current
}

function changeFrom({ config, credentialsOf }: FoundFleet): BackendChange {
  return { settings: settingsFrom(config), prices: pricesFrom(config), credentialsOf }
}
