/** The bundle as wrangler makes it, in workerd: D1, and Durable Objects that can be made unreachable. */
import { stringify } from 'yaml'
import { migrate } from '../../core/db/migrate.ts'
import { clientOf, complete, type Gateway, type GatewaySettings, type Runtime } from './runtime.ts'
import { workerModules } from './worker-bundle.ts'
import { startWorkerd } from './workerd.ts'

/** Around the bundle: its objects, which fail while a KV entry says so. */
const FAULTY_OBJECTS = {
  type: 'ESModule',
  path: 'faulty-objects.js',
  contents: `
import gateway, { HealthObject as Health, LedgerObject as Ledger } from './adapters/workers/index.js'
export default gateway
async function reach({ FAULTS }) {
  if (await FAULTS.get('objects') === 'away') throw new Error('the object cannot be reached')
}
export class HealthObject extends Health {
  async all() { await reach(this.env); return super.all() }
  async swap(...given) { await reach(this.env); return super.swap(...given) }
}
export class LedgerObject extends Ledger {
  async reserve(...given) { await reach(this.env); return super.reserve(...given) }
  async settle(...given) { await reach(this.env); return super.settle(...given) }
}`,
} as const

const OBJECTS = { HEALTH: 'HealthObject', LEDGER: 'LedgerObject' }

async function startWorker(settings: GatewaySettings, { faulty = false, objects = true } = {}) {
  const store = objects ? 'durable-object' : 'database'
  const { auth, health, ...rest } = complete(settings)
  const config = stringify({
    ...rest,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: resolved by the gateway, from a binding
    auth: { ...auth, session_secret: '${SESSION_SECRET}' },
    limits: { store, ...Object(settings.limits) },
    health: { ...health, store },
  })
  const output: string[] = []
  const worker = {
    modules: [...(faulty ? [FAULTY_OBJECTS] : []), ...(await workerModules(config))],
    compatibilityFlags: ['nodejs_compat', 'enable_request_signal'],
    bindings: { SESSION_SECRET: auth.session_secret },
    kvNamespaces: { FAULTS: 'faults' },
  }
  const { miniflare, url, db, restart } = await startWorkerd(worker, {
    objects: objects ? OBJECTS : {},
    log: ({ message }) => output.push(message),
  })
  await migrate(db())
  const gateway: Gateway = {
    ...(await clientOf({ db, url })),
    get url() {
      return url()
    },
    db: db(),
    output: () => output.join('\n'),
    restart,
    // Every request does what is due.
    runTasks: async () => {},
    stop: () => miniflare.dispose(),
  }
  const faults = await miniflare.getKVNamespace('FAULTS')
  return {
    gateway,
    loseStore: () => faults.put('objects', 'away'),
    regainStore: () => faults.delete('objects'),
  }
}

export const WORKERS: Runtime = {
  name: 'Workers',
  abilities: {
    // Miniflare's entry does not abort the request's signal, with or without the flag.
    hearsLeaving: 'by writing',
    atOnce: 500,
    replacesConnections: false,
  },
  start: async (settings) => (await startWorker(settings)).gateway,
  startSharing: (settings) => startWorker(settings, { faulty: true }),
}

/** Limits and health in D1, for accounts that have no Durable Objects. */
export const WORKERS_WITHOUT_OBJECTS: Runtime = {
  ...WORKERS,
  name: 'Workers without Durable Objects',
  start: async (settings) => (await startWorker(settings, { objects: false })).gateway,
  startSharing: undefined,
}
