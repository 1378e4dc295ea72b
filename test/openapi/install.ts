/** Installs schemathesis (https://schemathesis.readthedocs.io), which makes requests up from an OpenAPI document. */
import { join } from 'node:path'
import { pipInstall, TOOLS_FOLDER } from '../support/install.ts'

const FOLDER = join(TOOLS_FOLDER, 'schemathesis')

export const SCHEMATHESIS = join(FOLDER, 'bin/schemathesis')

export default () => pipInstall(FOLDER, ['schemathesis==4.32.5'])
