/** The Workers bundle as wrangler makes it: the configuration is a module of text beside it. */
import { build } from 'esbuild'

let bundled: Promise<string> | undefined

/** The modules of the bundle with this configuration, as miniflare takes them. */
export async function workerModules(config: string) {
  bundled ??= bundle()
  return [
    { type: 'ESModule', path: 'adapters/workers/index.js', contents: await bundled },
    { type: 'Text', path: 'dist/config.yaml', contents: config },
  ] as const
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['adapters/workers/index.ts'],
    bundle: true,
    // As `minify` and `keep_names` of wrangler.toml.
    minify: true,
    keepNames: false,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    external: ['cloudflare:*', 'node:*', '*.yaml'],
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}
