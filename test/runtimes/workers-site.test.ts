/** The dashboard on Workers, by the settings of wrangler.toml: there files are served before and beside the worker. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { unstable_readConfig as readWranglerConfig } from 'wrangler'
import { stringify } from 'yaml'
import { complete } from '../support/runtime.ts'
import { temporaryFolder } from '../support/stores.ts'
import { workerModules } from '../support/worker-bundle.ts'

const PAGE = '<!doctype html><title>dashboard</title>'
const folder = temporaryFolder()
let miniflare: Miniflare
let url: URL
beforeAll(async () => {
  mkdirSync(join(folder.path, '_app/immutable'), { recursive: true })
  writeFileSync(join(folder.path, 'index.html'), PAGE)
  writeFileSync(join(folder.path, '_app/immutable/start.js'), 'export {}')
  const { assets, compatibility_date, compatibility_flags } = readWranglerConfig({ config: 'wrangler.toml' })
  const config = stringify(complete({ backends: [{ name: 'a', url: 'http://127.0.0.1:9' }] }))
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [...(await workerModules(config))],
      compatibilityDate: compatibility_date ?? '',
      compatibilityFlags: compatibility_flags,
      d1Databases: { DB: 'db' },
      assets: {
        directory: folder.path,
        binding: assets?.binding ?? '',
        routerConfig: {
          has_user_worker: true,
          static_routing: { user_worker: [assets?.run_worker_first].flat() as string[] },
        },
        assetConfig: { not_found_handling: assets?.not_found_handling ?? 'none' },
      },
    }),
  )
  url = await miniflare.ready
})
afterAll(async () => {
  await miniflare?.dispose()
  folder.remove()
})

/** As a browser that navigates, or as a program. */
const ask = async (path: string, by: 'browser' | 'program') => {
  const headers =
    by === 'browser' ? { accept: 'text/html,*/*', 'sec-fetch-mode': 'navigate' } : { accept: '*/*' }
  const answer = await miniflare.dispatchFetch(new URL(path, url).href, { headers })
  return [answer.status, answer.headers.get('content-type'), await answer.text()]
}

test.each(['/usage', '/device', '/protocol'])(
  '%s is the page for a browser that goes there, and an error for a program',
  async (path) => {
    expect(await ask(path, 'browser')).toEqual([200, 'text/html; charset=utf-8', PAGE])
    expect(await ask(path, 'program')).toEqual([
      404,
      'application/json',
      expect.stringContaining('not_found'),
    ])
  },
)

test.each(['/metrics', '/api/nothing', '/v1/nothing', '/admin/api/nothing', '/_app/nothing', '/nothing.js'])(
  '%s is an error for both',
  async (path) => {
    for (const by of ['browser', 'program'] as const) {
      expect(await ask(path, by)).toEqual([404, 'application/json', expect.stringContaining('not_found')])
    }
  },
)

test('files are there for whoever asks', async () => {
  for (const by of ['browser', 'program'] as const) {
    expect(await ask('/_app/immutable/start.js', by)).toEqual([200, expect.any(String), 'export {}'])
  }
})
