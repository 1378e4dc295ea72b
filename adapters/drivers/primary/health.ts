/** Health of the backends in the memory of the primary process, for its workers. */
import * as z from 'zod'
import { Health } from '../../../core/backends/health.ts'
import { memoryHealth } from '../health/memory.ts'
import type { Handlers } from './channel.ts'

const count = z.number()
const Swap = z.object({ key: z.string(), seen: Health.optional(), next: Health })
const Move = z.object({ person: count, conversation: count, backend: z.string(), idleUntil: count })
const Moves = z.object({ moves: z.array(Move), now: count })

/** Handlers for all workers. */
export function hostHealth(): Handlers {
  const store = memoryHealth()
  return {
    'health.read': async () => [...(await store.read())],
    'health.swap'(body) {
      const { key, seen, next } = Swap.parse(body)
      return store.swap(key, seen, next)
    },
    'health.move'(body) {
      const { moves, now } = Moves.parse(body)
      return store.move(moves, now)
    },
    'health.moved_since': (since) => store.movedSince(count.parse(since)),
  }
}
