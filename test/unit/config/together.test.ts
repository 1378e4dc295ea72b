/** Settings that only go together. */
import { describe, expect, test } from 'vitest'
import { load, MINIMAL, pathsOf } from './settings.ts'

describe('several processes', () => {
  const settings = (limits: string, health: string) => ({
    ...MINIMAL,
    server: { workers: 2 },
    redis: { url: 'redis://cache.test' },
    limits: { store: limits },
    health: { store: health },
  })

  test.each([
    ['local', 'memory'],
    ['local', 'database'],
    ['database', 'memory'],
    ['durable-object', 'durable-object'],
  ])('do not share limits in %s and health in %s', (limits, health) => {
    expect(pathsOf(settings(limits, health))).toEqual(['server.workers'])
  })

  test.each([
    ['database', 'database'],
    ['database', 'redis'],
    ['redis', 'database'],
    ['redis', 'redis'],
  ])('share limits in %s and health in %s', (limits, health) => {
    expect(load(settings(limits, health)).server.workers).toBe(2)
  })
})

test('backups are of a file, not of a server', () => {
  const backup = { every: '24h' }
  expect(load({ ...MINIMAL, backup }).backup.every).toBe(86_400_000)
  expect(pathsOf({ ...MINIMAL, backup, database: { url: 'libsql://db.test' } })).toEqual(['backup.every'])
})
