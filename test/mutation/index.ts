/**
 * `npm run test:mutation`: Stryker (https://stryker-mutator.io) changes the core's decisions one by one, and the unit
 * tests of the same folder must notice. All of it takes hours; `-- limits` looks at one folder, and
 * `-- core/limits/decide.ts` at one file. What was found is kept in .tools, so that of a folder only what changed is
 * tried again; of a file everything is.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const VERSION = '10.1.1'
const INSTALLED = join(ROOT, `.tools/stryker-${VERSION}`)
const STRYKER = join(INSTALLED, 'node_modules/.bin/stryker')
const FOLDERS = ['auth', 'backends', 'calls', 'limits', 'metering', 'models', 'pricing']

if (!existsSync(STRYKER)) {
  const packages = ['core', 'vitest-runner'].map((name) => `@stryker-mutator/${name}@${VERSION}`)
  // Without its peers: it has to find the project's own vitest, in the folder above.
  const options = ['--no-save', '--no-audit', '--no-fund', '--legacy-peer-deps', '--loglevel=error']
  execFileSync('npm', ['install', ...options, '--prefix', INSTALLED, ...packages], { stdio: 'inherit' })
}

const asked = process.argv.slice(2)
for (const one of asked.length > 0 ? asked : FOLDERS) {
  const isFile = one.startsWith('core/')
  const folder = isFile ? one.split('/')[1] : one
  const files = isFile ? one : `core/${folder}/**/*.ts`
  const kept = ['--incremental', '--incrementalFile', `.tools/mutants/${folder}.json`]
  const anew = isFile ? ['--force'] : []
  execFileSync(STRYKER, ['run', 'test/mutation/stryker.json', '--mutate', files, ...kept, ...anew], {
    cwd: ROOT,
    env: { ...process.env, MUTATED: folder },
    stdio: 'inherit',
  })
}
