/** Health records in the memory of one process or isolate. Enough for a single process; others need a shared store. */
import type { Health } from '../../../core/backends/health.ts'
import { type HealthStore, MOVE_LIFE_MS, type Move } from '../../../core/ports.ts'

export function memoryHealth(): HealthStore {
  const records = new Map<string, Health>()
  const moves = new Map<string, { move: Move; writtenAt: number }>()
  return {
    read: async () => new Map(records),
    async swap(key, seen, next) {
      if (records.get(key)?.revision !== seen?.revision) return false
      records.set(key, next)
      return true
    },
    async move(given, now) {
      for (const move of given) moves.set(`${move.person} ${move.conversation}`, { move, writtenAt: now })
      for (const [key, { writtenAt }] of moves) if (writtenAt < now - MOVE_LIFE_MS) moves.delete(key)
    },
    movedSince: async (since) =>
      [...moves.values()].flatMap(({ move, writtenAt }) => (writtenAt >= since ? move : [])),
  }
}
