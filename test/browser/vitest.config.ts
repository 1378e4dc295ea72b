import { defineConfig } from 'vitest/config'
import { LongestFirst } from '../longest-first.ts'
import { PREBUNDLED } from '../prebundled.ts'

export default defineConfig({
  test: {
    deps: PREBUNDLED,
    include: ['test/browser/**/*.test.ts'],
    globalSetup: 'test/browser/built.ts',
    testTimeout: 90_000,
    // The first who asks for the large database makes it.
    hookTimeout: 120_000,
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    expect: { poll: { timeout: 10_000 } },
  },
})
