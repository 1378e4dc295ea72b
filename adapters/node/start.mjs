/** `npm start`: the gateway on Node, bundled or from its sources. */
import { join } from 'node:path'
import { run } from '../shared/bundle.mjs'

await run('node', join(import.meta.dirname, 'index.ts'))
