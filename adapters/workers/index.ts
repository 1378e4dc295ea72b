/**
 * The gateway on Cloudflare Workers. Storage is D1; isolates share limits and health through Durable Objects. The
 * configuration is bundled (wrangler.toml); ${NAME} in it is the binding of that name.
 */
import { env, waitUntil } from 'cloudflare:workers'
import { loadConfig } from '../../config/load.ts'
import { systemClock } from '../../core/clock.ts'
import { createLogger } from '../../core/logger.ts'
import type { Site } from '../../core/ports.ts'
import { sharedWork } from '../../core/shared-work.ts'
import { MINUTE_MS } from '../../core/units.ts'
import settingsFile from '../../dist/config.yaml'
import { compose, openStores, prepareDatabase } from '../compose.ts'
import type { HealthObject } from '../drivers/durable-objects/health.ts'
import type { LedgerObject } from '../drivers/durable-objects/ledger.ts'
import { durableHealth } from '../drivers/health/durable-object.ts'
import { directRecords } from '../drivers/ledger/direct.ts'
import { durableLedger } from '../drivers/ledger/durable-object.ts'
import { logMail } from '../drivers/mail/log.ts'
import { webhookMail } from '../drivers/mail/webhook.ts'
import { fetchPost } from '../drivers/notifier/fetch-post.ts'
import { createNotifier } from '../drivers/notifier/notifier.ts'
import { d1Storage } from '../drivers/storage/d1.ts'
import { fetchUpstream } from '../drivers/upstream/fetch.ts'
import { VERSION } from '../shared/version.ts'
import { webWire } from '../web/wire.ts'

// The runtime requires the classes of Durable Objects among the exports of this module.
export { HealthObject } from '../drivers/durable-objects/health.ts'
export { LedgerObject } from '../drivers/durable-objects/ledger.ts'

/** The bindings in wrangler.toml that are not strings. */
interface Bindings {
  DB: D1Database
  HEALTH?: DurableObjectNamespace<HealthObject>
  LEDGER?: DurableObjectNamespace<LedgerObject>
  ASSETS?: Fetcher
}

/** Called at the first event, because an isolate may do no I/O before. */
async function build() {
  // The casts hold because wrangler.toml declares these bindings; TypeScript does not read it.
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
  const stores = await openStores(config, {
    place: HEALTH && LEDGER ? 'Workers' : 'Workers without both Durable Objects bound',
    db,
    records: directRecords({ db, logger }),
    clock,
    logger,
    ledgers: LEDGER ? { 'durable-object': (parts) => durableLedger({ ...parts, namespace: LEDGER }) } : {},
    healths: HEALTH ? { 'durable-object': () => durableHealth(HEALTH) } : {},
  })
  const composed = await compose(config, {
    db,
    ...stores,
    clock,
    logger,
    waitUntil,
    upstream: fetchUpstream(),
    mailer: config.auth.send_code_url ? webhookMail(config.auth.send_code_url) : logMail(logger),
    notifier: createNotifier({ post: fetchPost({ allowPrivate: config.notify.allow_private }), clock }),
    // Cloudflare sets this header and overwrites a client's.
    wire: webWire((request) => request.headers.get('cf-connecting-ip') ?? '', waitUntil),
    ...(ASSETS ? { site: siteOf(ASSETS) } : {}),
    hasProxies: false,
    accepting: () => true,
    functions: variables.GATEWAY_FUNCTIONS,
    listens: false,
    longestWorkMs: LONGEST_WORK_MS,
    warns: true,
  })
  waitUntil(composed.deps.catalogue.checkAll())
  return composed
}

/** The dashboard from Cloudflare's static assets. Most files are served before the Worker runs, so it serves mostly pages. */
function siteOf(assets: Fetcher): Site {
  const answerAt = async (url: string | URL, { method }: Request): Promise<Response | undefined> => {
    const answer = await assets.fetch(url, { method })
    // Copied, because the headers of a fetched response are immutable and more are added later.
    return answer.ok ? (new Response(answer.body as never, answer as never) as never) : undefined
  }
  return {
    file: (request) => answerAt(request.url, request),
    page: (request) => answerAt(new URL('/', request.url), request),
  }
}

/** https://developers.cloudflare.com/workers/platform/limits/#duration of a cron trigger, which is the longest there is. */
const LONGEST_WORK_MS = 15 * MINUTE_MS
/** How old what is known of the backends may be, because a call waits for the look. */
const FLEET_MAX_AGE_MS = 1_000

/** A start that takes longer has been dropped with the request that began it, so that the next request begins another. */
const LONGEST_START_MS = 60_000

let start: { built: ReturnType<typeof build>; lostAt: number } | undefined

function started() {
  const now = systemClock.elapsed()
  if (!start || now >= start.lostAt) {
    start = { built: sharedWork(build(), waitUntil), lostAt: now + LONGEST_START_MS }
  }
  return start
}

async function ready() {
  const begun = started()
  try {
    const composed = await begun.built
    begun.lostAt = Number.POSITIVE_INFINITY
    waitUntil(composed.runTasks())
    // Before the call, because an isolate that nobody called for a while looked long ago.
    await composed.deps.fleet.fresh(FLEET_MAX_AGE_MS)
    return composed.gateway
  } catch (cause) {
    if (start === begun) start = undefined
    throw cause
  }
}

export default {
  // The casts hold because the types of Workers only extend those of the web that Hono uses.
  fetch: async (request) => (await ready()).fetch(request as never) as never,
  scheduled: async () => void (await ready()),
} satisfies ExportedHandler
