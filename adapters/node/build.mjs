/** `npm run build:node`: bundles the server, the command line and their scripts. Only libsql stays outside, which is native. */
import { rmSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { HASH_FILE, sourcesHash } from '../shared/bundle.mjs'

const OUT = 'dist/node'

const hash = sourcesHash()
rmSync(OUT, { recursive: true, force: true })
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
