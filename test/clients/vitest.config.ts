import { defineConfig } from 'vitest/config'
import { PREBUNDLED } from '../prebundled.ts'

export default defineConfig({
  test: {
    deps: PREBUNDLED,
    include: ['test/clients/**/*.test.ts'],
    // The dashboard is asked, too.
    globalSetup: ['test/clients/install.ts', 'test/browser/built.ts'],
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // They wait more than they work.
    maxWorkers: 3,
    // Each is a process, and there are two cores.
    maxConcurrency: 2,
  },
})
