import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './longest-first.ts'
import { PREBUNDLED } from './prebundled.ts'

export default defineConfig({
  // That of the site builds on one that would have to be generated first.
  tsconfig: 'tsconfig.json',
  test: {
    deps: PREBUNDLED,
    // Most of a test is waiting for processes: on two cores vitest alone would run one file at a time.
    maxWorkers: Math.max(4, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // What is waited for takes milliseconds, but this may run beside other work.
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 90_000,
    hookTimeout: 90_000,
    projects: [
      // They keep nothing between files, so they share the modules that each process has loaded.
      { extends: true, test: { name: 'unit', include: ['test/{unit,api}/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: {
          name: 'whole',
          include: ['test/*.test.ts', 'test/{drivers,process,runtimes}/**/*.test.ts'],
        },
      },
    ],
  },
})
