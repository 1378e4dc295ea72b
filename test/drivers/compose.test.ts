import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openStores } from '../../adapters/compose.ts'
import { directRecords } from '../../adapters/drivers/ledger/direct.ts'
import { ConfigError } from '../../config/error.ts'
import { systemClock } from '../../core/clock.ts'
import { keptLogs } from '../support/logs.ts'
import type { OpenedStore } from '../support/memory-store.ts'
import { fileStore } from '../support/stores.ts'
import { load, MINIMAL } from '../unit/config/settings.ts'

describe('a store that a runtime does not have', () => {
  let store: OpenedStore
  beforeEach(async () => {
    store = await fileStore()
  })
  afterEach(() => store.close())

  const unopened = () => {
    throw new Error('another store was opened')
  }
  const opened = (settings: object, place: string) => {
    const { db } = store
    const logger = keptLogs()
    return openStores(load({ ...MINIMAL, ...settings }), {
      place,
      db,
      logger,
      records: directRecords({ db, logger }),
      clock: systemClock,
      ledgers: place === 'Node' ? { redis: unopened } : { 'durable-object': unopened },
      healths: place === 'Node' ? { redis: unopened } : { 'durable-object': unopened },
    })
  }
  const problemsOf = async (settings: object, place: string) => {
    const cause: unknown = await opened(settings, place).catch((thrown: unknown) => thrown)
    if (cause instanceof ConfigError) return cause.problems
    throw new Error('a store was opened', { cause })
  }

  test('for limits is an error that names the setting and what may stand there', async () => {
    expect(await problemsOf({ limits: { store: 'durable-object' } }, 'Node')).toEqual([
      { path: 'limits.store', message: 'local or database or redis is expected on Node' },
    ])
  })

  test('for health as well', async () => {
    const settings = { health: { store: 'redis' }, redis: { url: 'redis://127.0.0.1:1' } }
    expect(await problemsOf(settings, 'Workers')).toEqual([
      { path: 'health.store', message: 'memory or database or durable-object is expected on Workers' },
    ])
  })

  test('is not in the way of one that it has', async () => {
    expect(await (await opened({}, 'Node')).health.read()).toEqual(new Map())
  })
})
