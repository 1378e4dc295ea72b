/** Health of one process (or one Worker isolate). Right for a single Node; anything else needs a shared store. */
import type { Health } from '../../../core/backends/health.ts'
import type { HealthStore } from '../../../core/ports.ts'

export function memoryHealth(): HealthStore {
  const records = new Map<string, Health>()
  return {
    read: async () => new Map(records),
    async swap(key, seen, next) {
      if (records.get(key)?.revision !== seen?.revision) return false
      records.set(key, next)
      return true
    },
  }
}
