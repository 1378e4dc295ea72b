/** `npm run build:lambda [FOLDER]`: bundles all functions into one file, with the dashboard beside it, ready to be zipped. */
import { copyFileSync, cpSync, existsSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const OUT = process.argv[2] ?? 'dist/lambda'

rmSync(OUT, { recursive: true, force: true })
await build({
  entryPoints: ['adapters/lambda/index.ts'],
  bundle: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  minify: true,
  keepNames: true,
  sourcemap: true,
  outfile: `${OUT}/index.mjs`,
  // Some packages are CommonJS and need `require`.
  banner: {
    js: "import { createRequire as _createRequire } from 'node:module';const require=_createRequire(import.meta.url);",
  },
})
if (existsSync('site/build')) cpSync('site/build', `${OUT}/site`, { recursive: true })
// Secrets are no part of it: ${NAME} in it reads the environment.
if (existsSync('config/config.yaml')) copyFileSync('config/config.yaml', `${OUT}/config.yaml`)
else console.warn('There is no config/config.yaml, so the bundle has no configuration.')
console.log(`Built ${OUT}.`)
