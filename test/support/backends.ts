/** Backends and their memory for tests: complete, with only what matters given. */
import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { createBackendMemory } from '../../core/backends/memory.ts'
import type { HealthStore } from '../../core/ports.ts'
import type { Backend } from '../../core/settings.ts'
import { type FakeClock, fakeClock } from './clock.ts'
import { keptLogs } from './logs.ts'

export const OPUS = 'claude-opus-5-5'
export const SONNET = 'claude-sonnet-5-5'
export const HAIKU = 'claude-haiku-5-5'
export const ANN = 1
export const BOB = 2
export const HEALTH = { startupCheck: 'off', failureThreshold: 5, cooldownMs: 30_000 } as const

export const backend = (name: string, given: Partial<Backend> = {}): Backend => ({
  name,
  kind: 'anthropic',
  url: `https://${name}.test`,
  apiKey: 'k',
  weight: 1,
  priority: 0,
  bearer: false,
  proxy: undefined,
  headers: [],
  enabled: true,
  models: [],
  speaksOpenAi: false,
  upstreamModels: new Map(),
  region: '',
  project: '',
  workspaceId: '',
  credentials: '',
  ...given,
})

/** The memory of one process, with what it needs. `settled` waits for its writes to the store. */
export function backendMemory(given: { store?: HealthStore; clock?: FakeClock } = {}) {
  const clock = given.clock ?? fakeClock()
  const store = given.store ?? memoryHealth()
  const logger = keptLogs()
  const pending: Promise<unknown>[] = []
  const waitUntil = (work: Promise<unknown>) => void pending.push(work)
  const memory = createBackendMemory({ store, clock, logger, settings: HEALTH, waitUntil })
  const settled = async () => {
    while (pending.length > 0) await Promise.all(pending.splice(0))
  }
  return { clock, store, logger, waitUntil, memory, settled }
}
