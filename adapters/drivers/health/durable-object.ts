/** Health of all isolates: each backend's in a Durable Object of its own, with the models that rest on it. */
import type { HealthStore } from '../../../core/ports.ts'
import type { HealthObject } from '../../workers/objects.ts'

/** `backends` are the names that may be read. */
export function durableHealth(
  namespace: DurableObjectNamespace<HealthObject>,
  backends: readonly string[],
): HealthStore {
  // A stub is made for each call: one that has failed once stays broken.
  const objectOf = (backend: string) => namespace.getByName(`backend ${backend}`)
  return {
    async read() {
      const all = await Promise.all(backends.map((backend) => objectOf(backend).all()))
      return new Map(all.flatMap((ofBackend) => Object.entries(ofBackend)))
    },
    swap(key, seen, next) {
      // A key is a backend's name, which holds no space, or that and a model.
      const [backend = key] = key.split(' ', 1)
      return objectOf(backend).swap(key, seen?.revision, next)
    },
  }
}
