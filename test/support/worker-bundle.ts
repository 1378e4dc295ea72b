/** The Workers bundle as wrangler makes it. */
import { build } from 'esbuild'

export async function workerBundle(entry = 'adapters/workers/index.ts'): Promise<string> {
  const bundle = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    external: ['cloudflare:*', 'node:*'],
    write: false,
  })
  return bundle.outputFiles[0]?.text ?? ''
}
