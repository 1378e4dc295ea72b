/** AWS's own runtime client, compiled on first use (half a minute; needs cmake, make and g++), and the bundle as it is now. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

const FOLDER = join(import.meta.dirname, '../../.tools/lambda')
export const RUNTIME = join(FOLDER, 'node_modules/aws-lambda-ric/index.mjs')
const PACKAGE = 'aws-lambda-ric@4.0.2'

export default function install() {
  const env = { ...process.env, PATH: [dirname(process.execPath), process.env.PATH].join(delimiter) }
  const options = {
    env,
    stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'],
    timeout: 280_000,
  }
  if (!existsSync(RUNTIME)) {
    execFileSync(
      'npm',
      ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', '--prefix', FOLDER, PACKAGE],
      options,
    )
  }
  if (!process.env.BUILT) execFileSync('npm', ['run', '--silent', 'build:lambda'], options)
}
