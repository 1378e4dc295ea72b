/** Health records in Durable Objects: one for each backend and one for moved conversations. */

import { parsedHealth } from '../../../core/backends/health.ts'
import { partsOf } from '../../../core/backends/health-key.ts'
import type { HealthStore } from '../../../core/ports.ts'
import type { HealthObject } from '../durable-objects/health.ts'

export function durableHealth(namespace: DurableObjectNamespace<HealthObject>): HealthStore {
  let backends: readonly string[] = []
  // A new stub for each call, because a stub that failed once may stay broken.
  const objectOf = (backend: string) => namespace.getByName(`health of ${backend}`)
  const moves = () => namespace.getByName('moves of conversations')
  return {
    adopt(names) {
      backends = names
    },
    async read() {
      const all = await Promise.all(backends.map((backend) => objectOf(backend).all()))
      return new Map(
        all.flatMap(Object.entries).flatMap(([key, record]) => {
          const health = parsedHealth(record)
          return health ? [[key, health] as const] : []
        }),
      )
    },
    swap: (key, seen, next) =>
      objectOf(partsOf(key).backend).swap(key, seen?.revision, next.revision, JSON.stringify(next)),
    async move(given, now) {
      if (given.length > 0) await moves().move([...given], now)
    },
    movedSince: (since) => moves().movedSince(since),
  }
}
