/**
 * The gateway on Cloudflare Workers: D1 for storage, Durable Objects for what isolates share. The configuration is bundled
 * (wrangler.toml), what ${NAME} in it stands for is bound.
 */
import { env, waitUntil } from 'cloudflare:workers'
import { loadConfig } from '../../config/load.ts'
import { systemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logger.ts'
import type { Site } from '../../core/ports.ts'
import settingsFile from '../../dist/config.yaml'
import { compose, openStores, prepareDatabase } from '../compose.ts'
import { logCodes } from '../drivers/codes/log.ts'
import { webhookCodes } from '../drivers/codes/webhook.ts'
import type { HealthObject } from '../drivers/durable-objects/health.ts'
import type { LedgerObject } from '../drivers/durable-objects/ledger.ts'
import { durableHealth } from '../drivers/health/durable-object.ts'
import { directRecords } from '../drivers/ledger/direct.ts'
import { durableLedger } from '../drivers/ledger/durable-object.ts'
import { d1Storage } from '../drivers/storage/d1.ts'
import { fetchUpstream } from '../drivers/upstream/fetch.ts'
import { VERSION } from '../shared/version.ts'
import { webWire } from '../web/wire.ts'

// The runtime looks for the classes here.
export { HealthObject } from '../drivers/durable-objects/health.ts'
export { LedgerObject } from '../drivers/durable-objects/ledger.ts'

/** What wrangler.toml binds, and strings. */
interface Bindings {
  DB: D1Database
  HEALTH?: DurableObjectNamespace<HealthObject>
  LEDGER?: DurableObjectNamespace<LedgerObject>
  ASSETS?: Fetcher
}

/** Built at the first event, because an isolate may not do I/O before. */
async function build() {
  // The bindings are typed by wrangler.toml, which TypeScript does not read.
  const { DB, HEALTH, LEDGER, ASSETS } = env as unknown as Bindings
  const variables = env as unknown as Record<string, string>
  const config = loadConfig({
    text: settingsFile,
    file: 'config.yaml',
    env: variables,
    readFile(path) {
      throw new Error(`there are no files on Workers: ${path}`)
    },
  })
  const db = d1Storage(DB)
  const clock = systemClock
  const logger = createLogger({ ...config.log, clock, print: (line) => console.log(line) })
  logger.info('server.starting', { version: VERSION })
  await prepareDatabase(db, config, logger)
  const backends = config.backends.map(({ name }) => name)
  const stores = await openStores(config, {
    place: HEALTH && LEDGER ? 'Workers' : 'Workers without both Durable Objects bound',
    db,
    records: directRecords({ db, logger }),
    clock,
    logger,
    ledgers: LEDGER ? { 'durable-object': (parts) => durableLedger({ ...parts, namespace: LEDGER }) } : {},
    healths: HEALTH ? { 'durable-object': () => durableHealth(HEALTH, backends) } : {},
  })
  const composed = await compose(config, {
    ...{ db, ...stores, clock, logger, waitUntil },
    upstream: fetchUpstream(),
    codes: config.auth.send_code_url ? webhookCodes(config.auth.send_code_url) : logCodes(logger),
    // Cloudflare sets this header and lets no client do so.
    wire: webWire((request) => request.headers.get('cf-connecting-ip') ?? '', waitUntil),
    ...(ASSETS ? { site: siteOf(ASSETS) } : {}),
    accepting: () => true,
    functions: variables.GATEWAY_FUNCTIONS,
    listens: false,
    warns: true,
  })
  waitUntil(composed.deps.catalogue.checkAll())
  return composed
}

/** Files are mostly served before the worker runs; what it is asked for are pages. */
function siteOf(assets: Fetcher): Site {
  const answerAt = async (url: string | URL, { method }: Request): Promise<Response | undefined> => {
    const answer = await assets.fetch(url, { method })
    // Its headers cannot be changed, and more of them come.
    return answer.ok ? (new Response(answer.body as never, answer as never) as never) : undefined
  }
  return {
    file: (request) => answerAt(request.url, request),
    page: (request) => answerAt(new URL('/', request.url), request),
  }
}

let built: ReturnType<typeof build> | undefined

async function ready() {
  built ??= build()
  try {
    const { gateway, runTasks } = await built
    waitUntil(runTasks())
    return gateway
  } catch (cause) {
    built = undefined
    throw cause
  }
}

export default {
  // Hono's types are the web's; the Workers' own differ from them only in extensions.
  fetch: async (request) => (await ready()).fetch(request as never) as never,
  scheduled: async () => void (await ready()),
} satisfies ExportedHandler
