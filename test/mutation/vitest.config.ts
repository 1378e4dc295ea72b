import { defineConfig } from 'vitest/config'

/**
 * Tests of pure decisions alone: a mutant that only a whole server would notice is one that they should. Only those of the
 * mutated folder, because a mutant of a constant is tried on all tests that there are; and without those that try
 * thousands of inputs, which take seconds for each mutant.
 */
export default defineConfig({
  test: {
    include: [`test/unit/${process.env.MUTATED}/**/*.test.ts`],
    exclude: ['test/unit/*/{many-*,meter-cuts}.test.ts'],
    // Nothing here waits by the clock, so that a test which takes longer hangs, however busy the machine is.
    testTimeout: 20_000,
  },
})
