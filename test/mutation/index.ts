/**
 * `npm run test:mutation`: Stryker (https://stryker-mutator.io) changes the core's decisions one by one, and the unit
 * tests must notice. By hand, as it takes an hour; `-- --mutate core/limits/decide.ts` looks at one file in minutes.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const VERSION = '10.1.1'
const FOLDER = join(ROOT, `.tools/stryker-${VERSION}`)
const STRYKER = join(FOLDER, 'node_modules/.bin/stryker')

if (!existsSync(STRYKER)) {
  const packages = ['core', 'vitest-runner'].map((name) => `@stryker-mutator/${name}@${VERSION}`)
  // Without its peers: it has to find the project's own vitest, in the folder above.
  const options = ['--no-save', '--no-audit', '--no-fund', '--legacy-peer-deps', '--loglevel=error']
  execFileSync('npm', ['install', ...options, '--prefix', FOLDER, ...packages], { stdio: 'inherit' })
}
execFileSync(STRYKER, ['run', 'test/mutation/stryker.json', ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit',
})
