import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/clients/**',
      'test/browser/**',
      'test/lambda/**',
      'test/openapi/**',
      'test/long/**',
      '**/node_modules/**',
    ],
    // Most of a test is waiting for processes: on two cores vitest alone would run one file at a time.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // What is waited for takes milliseconds, but this may run beside other work.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 40_000,
    hookTimeout: 60_000,
  },
})
