/** `npm run cli`: the command line, bundled or from its sources. */
import { join } from 'node:path'
import { run } from '../shared/bundle.mjs'

await run('cli', join(import.meta.dirname, 'index.ts'))
