/** The gateway on Cloudflare Workers: D1 for storage, health and limits in the isolate. Configuration is the CONFIG variable. */
import { env, waitUntil } from 'cloudflare:workers'
import abilities from '../../config/abilities.json' with { type: 'json' }
import { loadConfig } from '../../config/load.ts'
import { policyFrom } from '../../config/policy.ts'
import pricing from '../../config/pricing.json' with { type: 'json' }
import { systemClock } from '../../core/clock.ts'
import { migrate } from '../../core/db/migrate.ts'
import { createDeps } from '../../core/deps.ts'
import { createLogger } from '../../core/logger.ts'
import { AbilityTable } from '../../core/openai/abilities.ts'
import { webHeaders, webRespond } from '../../core/proxy/respond.ts'
import { createTaskRunner } from '../../core/tasks.ts'
import { createPrices, PriceList } from '../../core/usage/price.ts'
import { ensureAdmin } from '../../core/users/first-admin.ts'
import { createGateway, functionsFrom } from '../../functions/gateway.ts'
import { logCodes } from '../drivers/codes/log.ts'
import { webhookCodes } from '../drivers/codes/webhook.ts'
import { memoryHealth } from '../drivers/health/memory.ts'
import { directRecords } from '../drivers/ledger/direct.ts'
import { localLedger } from '../drivers/ledger/local.ts'
import { sha256 } from '../drivers/sha256.ts'
import { d1Storage } from '../drivers/storage/d1.ts'
import { fetchUpstream } from '../drivers/upstream/fetch.ts'

/** What wrangler.toml binds: strings, and DB. */
interface Bindings {
  DB: D1Database
  CONFIG: string
}

/** Built at the first event, because an isolate may not do I/O before. */
async function build() {
  // The bindings are typed by wrangler.toml, which TypeScript does not read.
  const { DB, ...settings } = env as unknown as Bindings & Record<string, string>
  const config = loadConfig({
    text: settings.CONFIG ?? '',
    file: 'CONFIG',
    env: settings,
    readFile(path) {
      throw new Error(`there are no files on Workers: ${path}`)
    },
  })
  const db = d1Storage(DB)
  const policy = policyFrom(config)
  const clock = systemClock
  const logger = createLogger({ ...config.log, clock, print: (line) => console.log(line) })
  await migrate(db)
  const { period, failClosed } = policy.limits
  const deps = createDeps({
    db,
    health: memoryHealth(),
    ledger: await localLedger({ db, records: directRecords({ db, logger }), period, failClosed, clock }),
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
    headersOf: webHeaders,
    // Cloudflare sets it and lets no client do so.
    peerOf: (request) => request.headers.get('cf-connecting-ip') ?? '',
    respond: webRespond(waitUntil),
    accepting: () => true,
  })
  await ensureAdmin(deps)
  waitUntil(deps.catalogue.checkAll())
  return {
    gateway: createGateway(deps, functionsFrom(settings.GATEWAY_FUNCTIONS)),
    runTasks: createTaskRunner(deps),
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
