import { defineConfig } from 'vitest/config'
import { PREBUNDLED } from '../prebundled.ts'

export default defineConfig({
  test: {
    deps: PREBUNDLED,
    include: ['test/lambda/**/*.test.ts'],
    globalSetup: 'test/lambda/install.ts',
    // They wait more than they work.
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
  },
})
