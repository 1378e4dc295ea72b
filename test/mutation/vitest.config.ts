import { defineConfig } from 'vitest/config'

/** Tests of pure decisions alone: a mutant that only a whole server would notice is one that they should. */
export default defineConfig({ test: { include: ['test/unit/**/*.test.ts'], testTimeout: 20_000 } })
