/** The backends that a command finds: those of the configuration file, and those that are stored beside them. */
import type { Config } from '../../../config/schema.ts'
import { systemClock } from '../../../core/clock.ts'
import type { Db } from '../../../core/ports.ts'
import { CHAINS } from '../../drivers/credentials/chains.ts'
import { createFleetReader } from '../../shared/fleet.ts'

export async function fleetOf(config: Config, db: Db) {
  const fleet = createFleetReader(config, {
    db,
    clock: systemClock,
    platform: CHAINS,
    hasProxies: true,
    waitUntil: () => {},
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  const found = await fleet.look()
  if (!found) throw new Error('The first look at the backends finds them all.')
  return { fleet, found }
}
