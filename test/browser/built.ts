/** Vitest's global setup: the site as it is now, and a folder for what the files of a run share. */
import { execFileSync } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { temporaryFolder } from '../support/stores.ts'

declare module 'vitest' {
  interface ProvidedContext {
    shared: string
  }
}

export default function setUp(project: TestProject) {
  const { path, remove } = temporaryFolder()
  project.provide('shared', path)
  if (!process.env.BUILT) {
    execFileSync('npm', ['run', '--silent', 'build:site'], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return remove
}
