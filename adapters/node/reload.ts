/** Which parts of a changed configuration a running server can adopt. */
import type { Config } from '../../config/schema.ts'

/** `inForce`: the new settings, except those that need a restart. `changed`: the names of such settings that differ. */
export function upToRestart(running: Config, next: Config): { changed: string[]; inForce: Config } {
  const { port, host, workers } = running.server
  const { period, time_zone, store, fail_closed } = running.limits
  const fixed = {
    server: { port, host, workers },
    database: running.database,
    journal: running.journal,
    limits: { period, time_zone, store, fail_closed },
    health: { store: running.health.store },
    redis: running.redis,
    log: running.log,
    metrics: running.metrics,
    otlp: running.otlp,
  }
  const changed = Object.entries(fixed).flatMap(([section, values]) => {
    const given: Readonly<Record<string, unknown>> = next[section as keyof typeof fixed] // a key of `fixed`
    return Object.entries(values)
      .filter(([name, value]) => JSON.stringify(given[name]) !== JSON.stringify(value))
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
