/** What of a changed configuration can be put in force while the server runs. */
import type { Config } from '../../config/schema.ts'

/** The new settings, but for those that hold from a start to the next, and the names of these that were changed. */
export function upToRestart(running: Config, next: Config): { changed: string[]; inForce: Config } {
  const { port, host, workers } = running.server
  const { period, store, fail_closed } = running.limits
  const fixed = {
    server: { port, host, workers },
    database: running.database,
    limits: { period, store, fail_closed },
    health: { store: running.health.store },
    redis: running.redis,
    log: running.log,
  }
  const changed = Object.entries(fixed).flatMap(([section, values]) => {
    const given: Readonly<Record<string, unknown>> = next[section as keyof typeof fixed] // its own key
    return Object.entries(values)
      .filter(([name, value]) => given[name] !== value)
      .map(([name]) => `${section}.${name}`)
  })
  const inForce = {
    ...next,
    ...fixed,
    server: { ...next.server, ...fixed.server },
    limits: { ...next.limits, ...fixed.limits },
    health: { ...next.health, ...fixed.health },
  }
  return { changed, inForce }
}
