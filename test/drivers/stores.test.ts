import { describe, expect, test } from 'vitest'
import { memoryHealth } from '../../adapters/drivers/health/memory.ts'
import { openHealth, openLedger } from '../../adapters/drivers/stores.ts'
import { ConfigError } from '../../config/error.ts'
import { load, MINIMAL } from '../config/settings.ts'

describe('a store that a runtime does not have', () => {
  const unopened = () => {
    throw new Error('another store was opened')
  }
  const errorOf = (action: () => unknown) => {
    try {
      action()
    } catch (cause) {
      if (cause instanceof ConfigError) return cause
      throw cause
    }
    throw new Error('a store was opened')
  }

  test('for limits is an error that names the setting and what may stand there', () => {
    const config = load({ ...MINIMAL, limits: { store: 'durable-object' } })
    const stores = { local: unopened, database: unopened, redis: unopened }
    expect(errorOf(() => openLedger(config, { place: 'Node', stores })).problems).toEqual([
      { path: 'limits.store', message: 'local or database or redis is expected on Node' },
    ])
  })

  test('for health as well', () => {
    const config = load({ ...MINIMAL, health: { store: 'redis' }, redis: { url: 'redis://127.0.0.1:1' } })
    const stores = { memory: unopened, 'durable-object': unopened }
    expect(errorOf(() => openHealth(config, { place: 'Workers', stores })).message).toBe(
      'health.store: memory or durable-object is expected on Workers',
    )
  })

  test('is not in the way of one that it has', async () => {
    const stores = { memory: memoryHealth, database: unopened }
    expect(await openHealth(load(MINIMAL), { place: 'Node', stores }).read()).toEqual(new Map())
  })
})
