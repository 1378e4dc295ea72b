/** An isolate on Workers whose first callers leave: what others wait for as well must not end with the request that began it. */
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { complete } from '../support/runtime.ts'
import { workerModules } from '../support/worker-bundle.ts'

/** Calls the gateway, and leaves after so many milliseconds: workerd tells that of bindings, Miniflare's entry does not. */
const CLIENT = `
export default {
  async fetch(request, { GATEWAY }) {
    const after = Number(request.headers.get('x-leaves-after'))
    if (after === 0) return GATEWAY.fetch(request)
    return GATEWAY.fetch(request, { signal: AbortSignal.timeout(after) }).catch(() => new Response('left'))
  },
}`

/** Around the bundle: for clients that leave, the database takes its time, and what is known is old. */
const SLOW_DATABASE = `
import { env } from 'cloudflare:workers'
import gateway from './adapters/workers/index.js'
let isSlow = false
let passedMs = 0
const elapsed = performance.now.bind(performance)
performance.now = () => elapsed() + passedMs
const statements = Object.getPrototypeOf(env.DB.prepare('select 1').bind())
for (const name of ['all', 'raw', 'run']) {
  const asks = statements[name]
  statements[name] = async function (...given) {
    if (isSlow) await scheduler.wait(200)
    return asks.apply(this, given)
  }
}
export default {
  fetch(request, ...rest) {
    isSlow = request.headers.has('x-leaves-after')
    if (isSlow) passedMs += 10_000
    return gateway.fetch(request, ...rest)
  },
}`

let miniflare: Miniflare | undefined
afterEach(() => miniflare?.dispose())

async function start() {
  const shared = {
    compatibilityDate: '2026-11-01',
    compatibilityFlags: ['nodejs_compat', 'enable_request_signal'],
  }
  const config = stringify(complete({ backends: [{ name: 'a', url: 'http://127.0.0.1:9' }] }))
  const slow = { type: 'ESModule', path: 'slow-database.js', contents: SLOW_DATABASE } as const
  miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [
        { ...shared, name: 'client', modules: true, script: CLIENT, serviceBindings: { GATEWAY: 'gateway' } },
        {
          ...shared,
          name: 'gateway',
          modules: [slow, ...(await workerModules(config))],
          d1Databases: { DB: 'db' },
        },
      ],
    }),
  )
  const { origin } = await miniflare.ready
  return (path: string, leavesAfter?: number) =>
    fetch(`${origin}${path}`, {
      headers: {
        'x-api-key': 'sk-unknown',
        ...(leavesAfter ? { 'x-leaves-after': String(leavesAfter) } : {}),
      },
    })
}

test('whoever leaves while an isolate begins leaves it to the others', async () => {
  const ask = await start()
  expect(await (await ask('/v1/models', 100)).text()).toBe('left')
  expect((await ask('/v1/models')).status).toBe(401)
})

test('whoever leaves while keys and backends are read leaves what is read to the others', async () => {
  const ask = await start()
  await ask('/v1/models')
  for (let times = 0; times < 5; times++) expect(await (await ask('/v1/models', 100)).text()).toBe('left')
  const answers = await Promise.all(Array.from({ length: 5 }, () => ask('/v1/models')))
  expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401])
})
