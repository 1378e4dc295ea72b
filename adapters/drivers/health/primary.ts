/** Health records in the memory of the primary process, for its workers. */
import * as z from 'zod'
import { Health } from '../../../core/backends/health.ts'
import type { HealthStore } from '../../../core/ports.ts'
import type { PrimaryChannel } from '../primary/channel.ts'

const Records = z.array(z.tuple([z.string(), Health]))
const Moves = z.array(
  z.object({ person: z.number(), conversation: z.number(), backend: z.string(), idleUntil: z.number() }),
)

/** All methods reject if the primary process is gone. */
export function primaryHealth(channel: PrimaryChannel): HealthStore {
  return {
    read: async () => new Map(Records.parse(await channel.ask('health.read', null))),
    swap: async (key, seen, next) => (await channel.ask('health.swap', { key, seen, next })) === true,
    async move(moves, now) {
      await channel.ask('health.move', { moves, now })
    },
    movedSince: async (since) => Moves.parse(await channel.ask('health.moved_since', since)),
  }
}
