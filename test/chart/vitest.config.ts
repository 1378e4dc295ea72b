import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/chart/**/*.test.ts'],
    globalSetup: 'test/chart/install.ts',
    testTimeout: 30_000,
    hookTimeout: 600_000,
  },
})
