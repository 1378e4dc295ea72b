/** The models the backends offer, as they list them, and the check that reads the list: the same request is both. */
import * as z from 'zod'
import { describe, originOf } from '../backends/address.ts'
import type { Balancer } from '../backends/balancer.ts'
import { FOR_GOOD, RECHECK_MS, type Verdict } from '../backends/health.ts'
import { matchesAny } from '../glob.ts'
import type { Backend, Policy } from '../policy.ts'
import type { Clock, Logger, Upstream, UpstreamReply } from '../ports.ts'
import { createStop } from '../stop.ts'

const CHECK_TIMEOUT_MS = 10_000
const LIST_BYTES = 4 * 1024 * 1024
const FRESH_MS = 24 * 3_600_000
const RETRY_MS = 60_000

/** A model as the upstream lists it; fields this gateway does not know are kept. */
const ListedModel = z.looseObject({
  id: z.string().min(1),
  display_name: z.string().optional(),
  created_at: z.string().optional(),
})
const ModelList = z.looseObject({ data: z.array(ListedModel) })
export type ListedModel = z.infer<typeof ListedModel>

export interface Catalogue {
  /** Checks every enabled backend at once, as `health.startup_check` says. Never throws. */
  checkAll(): Promise<void>
  /** Checks one backend and tells the balancer. Answers what the check found. */
  check(backend: Backend): Promise<Verdict>
  /** Checks the backends that are out and due. */
  checkDue(): Promise<void>
  /** The models of all usable backends, each once, in the backends' order. Reads lists that are missing or a day old. */
  models(): Promise<ListedModel[]>
  /** Reads lists again that are a day old. */
  refresh(): Promise<void>
  /** How a backend lists this model, as far as lists were read; never waits. */
  known(model: string): ListedModel | undefined
  /** False until the start-up check is over or has found a backend that can be used. */
  ready(): boolean
}

interface Listing {
  models: ListedModel[]
  readAt: number
}

export function createCatalogue(parts: {
  policy: Policy
  upstream: Upstream
  clock: Clock
  logger: Logger
  balancer: Balancer
  /** Calls are served already, under the configuration before this one. */
  serving: boolean
}): Catalogue {
  const { policy, upstream, clock, logger, balancer } = parts
  const enabled = () => balancer.views().flatMap(({ backend }) => (backend.enabled ? [backend] : []))
  /** What is out has checks of its own: a look at the list must not bring it back. */
  const listing = () =>
    balancer
      .views()
      .flatMap(({ backend, state }) => (backend.enabled && state !== 'disabled' ? [backend] : []))
  const listings = new Map<string, Listing>()
  const checking = new Map<string, Promise<Verdict>>()
  const isStale = (name: string) => {
    const listing = listings.get(name)
    return !listing || clock.elapsed() - listing.readAt > FRESH_MS
  }
  let ready = parts.serving || policy.health.startupCheck === 'off'

  function check(backend: Backend, atStart = false): Promise<Verdict> {
    const running = checking.get(backend.name)
    if (running) return running
    const started = run(backend, atStart).finally(() => checking.delete(backend.name))
    checking.set(backend.name, started)
    return started
  }
  async function run(backend: Backend, atStart: boolean): Promise<Verdict> {
    const found = await readList({ upstream, clock, backend })
    const verdict = atStart ? startVerdict(found.verdict) : found.verdict
    if (found.models) listings.set(backend.name, { models: found.models, readAt: clock.elapsed() })
    else
      listings.set(backend.name, {
        models: listings.get(backend.name)?.models ?? [],
        readAt: clock.elapsed() - FRESH_MS + RETRY_MS,
      })
    if (verdict.kind !== 'passed') {
      logger.warn('backend.check_failed', {
        backend: backend.name,
        reason: 'reason' in verdict ? verdict.reason : '',
      })
    }
    await balancer.report(backend, undefined, verdict)
    if (verdict.kind === 'passed') ready = true
    return verdict
  }
  function startVerdict(found: Verdict): Verdict {
    const strict = policy.health.startupCheck === 'strict' && found.kind === 'down'
    return strict || found.kind === 'barred'
      ? { kind: 'barred', reason: found.reason, recheckMs: FOR_GOOD }
      : found
  }

  return {
    check: (backend) => check(backend),
    async checkDue() {
      await Promise.all(balancer.due().map((backend) => check(backend)))
    },
    async checkAll() {
      if (policy.health.startupCheck !== 'off')
        await Promise.all(enabled().map((backend) => check(backend, true)))
      ready = true
    },
    async models() {
      const stale = listing().filter(({ name }) => isStale(name))
      await Promise.all(stale.map((backend) => check(backend)))
      return merged(balancer, listings)
    },
    async refresh() {
      const old = listing().filter(({ name }) => listings.has(name) && isStale(name))
      await Promise.all(old.map((backend) => check(backend)))
    },
    known(model) {
      for (const { models } of listings.values()) {
        const found = models.find(({ id }) => id === model)
        if (found) return found
      }
      return undefined
    },
    ready: () => ready,
  }
}

function merged(balancer: Balancer, listings: ReadonlyMap<string, Listing>): ListedModel[] {
  const models = new Map<string, ListedModel>()
  for (const { backend, state } of balancer.views()) {
    if (state !== 'healthy' && state !== 'cooling_down') continue
    for (const model of listings.get(backend.name)?.models ?? []) {
      const served = backend.models.length === 0 || matchesAny(backend.models, model.id)
      if (served && !models.has(model.id)) models.set(model.id, model)
    }
  }
  return [...models.values()]
}

function barred(reason: string): Verdict {
  return { kind: 'barred', reason, recheckMs: RECHECK_MS }
}

/** GET /v1/models of one backend: proves address and credential, costs nothing, and says what it serves. */
async function readList(parts: {
  upstream: Upstream
  clock: Clock
  backend: Backend
}): Promise<{ verdict: Verdict; models?: ListedModel[] }> {
  const { upstream, clock, backend } = parts
  const stop = createStop()
  const cancelTimer = clock.after(CHECK_TIMEOUT_MS, () => stop.abort(new Error('no answer in 10 s')))
  try {
    const { origin, base } = originOf(backend.url)
    const reply = await upstream.send(
      {
        origin,
        method: 'GET',
        path: `${base}/v1/models?limit=1000`,
        headers: [
          ['accept', 'application/json'],
          ['accept-encoding', 'identity'],
          ['anthropic-version', '2023-06-01'],
          ['x-api-key', backend.apiKey],
        ],
        body: undefined,
      },
      stop.signal,
    )
    const text = await textOf(reply.pipe)
    if (reply.status === 401 || reply.status === 402 || reply.status === 403) {
      return { verdict: barred(`refused the credential (${reply.status})`) }
    }
    if (reply.status >= 500 || reply.status < 200)
      return { verdict: { kind: 'down', reason: `answered ${reply.status}` } }
    if (reply.status >= 300 && reply.status < 400)
      return { verdict: { kind: 'down', reason: 'answered with a redirect' } }
    // Some relays have no model list: they can still serve calls.
    if (reply.status !== 200) return { verdict: { kind: 'passed' } }
    const models = parseList(text)
    if (!models) return { verdict: { kind: 'down', reason: 'answered with something that is no model list' } }
    if (models.length === 0) return { verdict: barred('lists no models') }
    return { verdict: { kind: 'passed' }, models }
  } catch (cause) {
    return { verdict: { kind: 'down', reason: stop.signal.aborted ? 'no answer in 10 s' : describe(cause) } }
  } finally {
    cancelTimer()
  }
}

function parseList(text: string): ListedModel[] | undefined {
  try {
    const parsed = ModelList.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data.data : undefined
  } catch {
    return undefined
  }
}

async function textOf(pipe: UpstreamReply['pipe']): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  await pipe({
    write(chunk) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length > LIST_BYTES) throw new Error('the model list is too long')
    },
  })
  return text + decoder.decode()
}
