import { describe, expect, test } from 'vitest'
import { withBodyMemory } from '../../../adapters/shared/memory.ts'
import { load, MINIMAL } from './settings.ts'

const MB = 2 ** 20
const SHARED = { limits: { store: 'database' }, health: { store: 'database' } }

describe('limits.body_memory', () => {
  const share = (settings: object, memory: number) =>
    withBodyMemory(load({ ...MINIMAL, ...settings }), memory).limits.body_memory

  test.each([
    ['a quarter of the memory there is', {}, 512 * MB, 128 * MB],
    ['divided by the workers', { ...SHARED, server: { workers: 4 } }, 512 * MB, 32 * MB],
    ['a gigabyte at most', {}, 64 * 1024 * MB, 1024 * MB],
    ['what the file says', { limits: { body_memory: '300MB' } }, 512 * MB, 300 * MB],
  ])('is %s', (_, settings, memory, expected) => expect(share(settings, memory)).toBe(expected))
})
