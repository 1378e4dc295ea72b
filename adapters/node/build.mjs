/** `npm run build:node`: bundles the server, the command line and their scripts. Only libsql stays outside, which is native. */
import { rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { HASH_FILE, sourcesHash } from '../shared/bundle.mjs'

const OUT = 'dist/node'

const hash = sourcesHash()
rmSync(OUT, { recursive: true, force: true })
/** The parts of undici that are used, because the whole takes 15 MB of memory. */
const partsOfUndici = {
  name: 'parts of undici',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'parts' }))
    onLoad({ filter: /^undici$/, namespace: 'parts' }, () => ({
      contents: `
        export { default as buildConnector } from 'undici/lib/core/connect.js'
        export { default as Client } from 'undici/lib/dispatcher/client.js'
        export { default as errors } from 'undici/lib/core/errors.js'`,
      resolveDir: process.cwd(),
    }))
  },
}
await build({
  entryPoints: {
    node: 'adapters/node/index.ts',
    cli: 'adapters/cli/index.ts',
    'database-thread': 'adapters/drivers/storage/database-thread.ts',
    'report-thread': 'adapters/node/report-thread.ts',
    'check-script': 'adapters/drivers/storage/check-script.ts',
    'copy-script': 'adapters/backup/copy-script.ts',
  },
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  sourcemap: true,
  plugins: [partsOfUndici],
  external: ['libsql'],
  outdir: OUT,
  outExtension: { '.js': '.mjs' },
  // Some packages are CommonJS and need `require`.
  banner: {
    js: "import { createRequire as _createRequire } from 'node:module';const require=_createRequire(import.meta.url);",
  },
})
writeFileSync(HASH_FILE, hash)
console.log(`Built ${OUT}.`)
