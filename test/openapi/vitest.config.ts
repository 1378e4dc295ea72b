import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/openapi/**/*.test.ts'],
    globalSetup: 'test/openapi/install.ts',
    // A minute of requests for each of two people, and the reports.
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
})
