/** Installs schemathesis (https://schemathesis.readthedocs.io), which makes requests up from an OpenAPI document. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const VERSION = '4.32.5'
const FOLDER = join(import.meta.dirname, `../../.tools/schemathesis-${VERSION}`)

export const SCHEMATHESIS = `${FOLDER}/bin/schemathesis`

export default function install() {
  if (existsSync(SCHEMATHESIS)) return
  execFileSync('python3', ['-m', 'venv', FOLDER])
  execFileSync(`${FOLDER}/bin/pip`, [
    'install',
    '--quiet',
    '--disable-pip-version-check',
    `schemathesis==${VERSION}`,
  ])
}
