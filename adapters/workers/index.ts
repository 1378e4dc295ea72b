/**
 * The gateway on Cloudflare Workers: D1 for storage, Durable Objects for what isolates share. The configuration is bundled
 * (wrangler.toml), what ${NAME} in it stands for is bound.
 */
import { env, waitUntil } from 'cloudflare:workers'
import abilities from '../../config/abilities.json' with { type: 'json' }
import { loadConfig } from '../../config/load.ts'
import pricing from '../../config/pricing.json' with { type: 'json' }
import { policyFrom } from '../../config/settings.ts'
import { warningsOf } from '../../config/warnings.ts'
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { createDeps } from '../../core/deps.ts'
import { createLogger } from '../../core/logger.ts'
import { AbilityTable } from '../../core/models/abilities.ts'
import { announceObjects } from '../../core/objects/announce.ts'
import type { Site } from '../../core/ports.ts'
import { createPrices, PriceList } from '../../core/pricing/prices.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { ensureAdmin, hasAdmin } from '../../core/users/first-admin.ts'
import settingsFile from '../../dist/config.yaml'
import { createGateway, functionsFrom } from '../../functions/gateway.ts'
import { logCodes } from '../drivers/codes/log.ts'
import { webhookCodes } from '../drivers/codes/webhook.ts'
import type { HealthObject, LedgerObject } from '../drivers/durable-objects/objects.ts'
import { databaseHealth } from '../drivers/health/database.ts'
import { durableHealth } from '../drivers/health/durable-object.ts'
import { memoryHealth } from '../drivers/health/memory.ts'
import { databaseLedger } from '../drivers/ledger/database.ts'
import { directRecords } from '../drivers/ledger/direct.ts'
import { durableLedger } from '../drivers/ledger/durable-object.ts'
import { localLedger } from '../drivers/ledger/local.ts'
import { sha256 } from '../drivers/sha256.ts'
import { d1Storage } from '../drivers/storage/d1.ts'
import { openHealth, openLedger } from '../drivers/stores.ts'
import { fetchUpstream } from '../drivers/upstream/fetch.ts'
import { webWire } from '../web/wire.ts'

// The runtime looks for the classes here.
export { HealthObject, LedgerObject } from '../drivers/durable-objects/objects.ts'

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
  const settings = env as unknown as Record<string, string>
  const config = loadConfig({
    text: settingsFile,
    file: 'config.yaml',
    env: settings,
    readFile(path) {
      throw new Error(`there are no files on Workers: ${path}`)
    },
  })
  const db = d1Storage(DB)
  const policy = policyFrom(config)
  const clock = systemClock
  const logger = createLogger({ ...config.log, clock, print: (line) => console.log(line) })
  announceObjects(logger, await migrate(db), policy.objects)
  const { period, failClosed } = policy.limits
  const records = directRecords({ db, logger })
  const shared = { db, records, period, failClosed, clock, logger }
  const place = HEALTH && LEDGER ? 'Workers' : 'Workers without both Durable Objects bound'
  const backends = policy.backends.map(({ name }) => name)
  const deps = createDeps({
    db,
    health: openHealth(config, {
      place,
      stores: {
        memory: memoryHealth,
        database: () => databaseHealth(db),
        ...(HEALTH && { 'durable-object': () => durableHealth(HEALTH, backends) }),
      },
    }),
    ledger: await openLedger(config, {
      place,
      stores: {
        local: () => localLedger(shared),
        database: () => databaseLedger(shared),
        ...(LEDGER && { 'durable-object': () => durableLedger({ ...shared, namespace: LEDGER }) }),
      },
    }),
    upstream: fetchUpstream(),
    codes: config.auth.send_code_url ? webhookCodes(config.auth.send_code_url) : logCodes(logger),
    clock,
    logger,
    policy,
    prices: createPrices(PriceList.parse(pricing), config.pricing),
    abilities: AbilityTable.parse(abilities),
    sha256,
    random: Math.random,
    waitUntil,
    // Cloudflare sets this header and lets no client do so.
    wire: webWire((request) => request.headers.get('cf-connecting-ip') ?? '', waitUntil),
    ...(ASSETS ? { site: siteOf(ASSETS) } : {}),
    accepting: () => true,
  })
  await ensureAdmin(deps)
  const hasPrice = (model: string) => deps.prices.rates(model, clock.now()) !== undefined
  for (const { path, message } of warningsOf(config, {
    hasPrice,
    hasAdmin: await hasAdmin(db),
    listens: false,
  })) {
    logger.warn('config.open', { setting: path, message })
  }
  waitUntil(deps.catalogue.checkAll())
  return {
    gateway: createGateway(deps, functionsFrom(settings.GATEWAY_FUNCTIONS)),
    runTasks: createTaskRunner(deps),
  }
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
