/** Settings that only go together. */
import { expect, test } from 'vitest'
import { load, MINIMAL, pathsOf } from './settings.ts'

test.each([
  ['local', 'memory'],
  ['local', 'database'],
  ['database', 'database'],
  ['redis', 'memory'],
  ['redis', 'redis'],
])('several processes share limits in %s and health in %s', (limits, health) => {
  const settings = {
    ...MINIMAL,
    server: { workers: 2 },
    redis: { url: 'redis://cache.test' },
    limits: { store: limits },
    health: { store: health },
  }
  expect(load(settings).server.workers).toBe(2)
})

test('several processes share limits and health by their primary process if nothing is set', () => {
  const { limits, health } = load({ ...MINIMAL, server: { workers: 2 } })
  expect([limits.store, health.store]).toEqual(['local', 'memory'])
})

test('backups are of a file, not of a server', () => {
  const backup = { every: '24h' }
  expect(load({ ...MINIMAL, backup }).backup.every).toBe(86_400_000)
  expect(pathsOf({ ...MINIMAL, backup, database: { url: 'libsql://db.test' } })).toEqual(['backup.every'])
})
