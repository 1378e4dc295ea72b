import { defineConfig } from 'vitest/config'

/** By hand: minutes to hours. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 3_600_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})
