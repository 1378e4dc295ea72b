/** Health of all isolates, in one Durable Object. */
import type { HealthStore } from '../../../core/ports.ts'
import type { HealthObject } from '../../workers/objects.ts'

export function durableHealth(namespace: DurableObjectNamespace<HealthObject>): HealthStore {
  // A stub is made for each call: one that has failed once stays broken.
  const object = () => namespace.getByName('health')
  return {
    read: async () => new Map(Object.entries(await object().all())),
    swap: (key, seen, next) => object().swap(key, seen?.revision, next),
  }
}
