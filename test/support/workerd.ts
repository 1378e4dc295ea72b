/**
 * workerd with D1 and perhaps Durable Objects. A worker beside the gateway does to its bindings what tests ask, by one request
 * for each statement or method; because Miniflare's own proxies take several for each, and seven times as much of a processor.
 */
import type { Miniflare, V4WorkerOptions, WorkerdStructuredLog } from 'miniflare'
import * as z from 'zod'
import { d1Storage } from '../../adapters/drivers/storage/d1.ts'
import type { Db } from '../../core/ports.ts'

export interface Workerd {
  miniflare: Miniflare
  /** Of the gateway. */
  url(): string
  db(): Db
  /** The objects of a binding; each suite has its own. */
  objects<T extends Rpc.DurableObjectBranded>(binding: string, suite: string): DurableObjectNamespace<T>
  /** Puts isolates and objects away; what they and the database store stays. */
  restart(): Promise<void>
}

const SHARED = { compatibilityDate: '2026-11-01', d1Databases: { DB: 'db' } }
const BINDINGS = 'bindings'
const SCRIPT = `
const prepared = (DB, { sql, params }) => DB.prepare(sql).bind(...params)
const works = {
  one: ({ how, statement }, { DB }) => prepared(DB, statement)[how](),
  batch: ({ statements }, { DB }) => DB.batch(statements.map((one) => prepared(DB, one))),
  object({ binding, name, method, given }, { [binding]: objects }) {
    return objects.get(objects.idFromName(name))[method](...given.map(([value]) => value))
  },
}
export default {
  async fetch(request, env) {
    const asked = await request.json()
    try {
      return Response.json([await works[asked.what](asked, env)])
    } catch ({ message, cause }) {
      return Response.json({ message, cause: cause?.message }, { status: 500 })
    }
  },
}`

/** `gateway`: the worker that is tested, if any; it gets the database and the objects. */
export async function startWorkerd(
  gateway?: V4WorkerOptions,
  {
    objects = {},
    log,
  }: { objects?: Record<string, string>; log?: (line: WorkerdStructuredLog) => void } = {},
): Promise<Workerd> {
  // Not with this module, because it takes half a second to load and most tests have no workerd.
  const { convertV4MiniflareOptions, Miniflare } = await import('miniflare')
  const durableObjects = Object.fromEntries(
    Object.entries(objects).map(([binding, className]) => [
      binding,
      { className, useSQLite: true, scriptName: 'gateway' },
    ]),
  )
  const bindings: V4WorkerOptions = {
    ...SHARED,
    name: BINDINGS,
    modules: true,
    script: SCRIPT,
    durableObjects,
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
  const tested = gateway && { ...SHARED, ...gateway, name: 'gateway', durableObjects }
  const options = convertV4MiniflareOptions({
    workers: tested ? [tested, bindings] : [bindings],
    ...(log ? { handleStructuredLogs: log } : {}),
  })
  const miniflare = new Miniflare(options)
  let url: string
  let bindingsUrl: URL
  const hear = async () => {
    url = (await miniflare.ready).origin
    bindingsUrl = await miniflare.unsafeGetDirectURL(BINDINGS)
  }
  await hear()
  const ask: Ask = async (question) => {
    const answer = await fetch(bindingsUrl, { method: 'POST', body: JSON.stringify(question, refuseLost) })
    const body = await answer.json()
    if (answer.ok) return z.tuple([z.unknown()]).parse(body)[0]
    const { message, cause } = Failure.parse(body)
    throw new Error(message, { cause: cause && new Error(cause) })
  }
  return {
    miniflare,
    url: () => url,
    db: () => d1Storage(databaseBy(ask)),
    objects: (binding, suite) => objectsBy(ask, binding, suite),
    async restart() {
      await miniflare.setOptions(options)
      await hear()
    },
  }
}

type Ask = (question: object) => Promise<unknown>
const Failure = z.object({ message: z.string(), cause: z.string().optional() })

/** JSON has no such numbers, and would say null. */
function refuseLost(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`JSON has no ${value}`)
  return value
}

/** What drizzle uses of D1. */
function databaseBy(ask: Ask): D1Database {
  const prepare = (sql: string, params: unknown[] = []) => {
    const statement = { sql, params }
    const one = (how: string) => () => ask({ what: 'one', how, statement })
    return {
      statement,
      run: one('run'),
      all: one('all'),
      raw: one('raw'),
      bind(...given: unknown[]) {
        // As D1 does.
        if (given.includes(undefined)) throw new Error("D1_TYPE_ERROR: Type 'undefined' not supported")
        return prepare(sql, given)
      },
    }
  }
  const batch = (all: ReturnType<typeof prepare>[]) =>
    ask({ what: 'batch', statements: all.map(({ statement }) => statement) })
  return { prepare, batch } as unknown as D1Database
}

/** What the drivers use of a namespace. A method may be given undefined, so that each value is in an array. */
function objectsBy<T extends Rpc.DurableObjectBranded>(ask: Ask, binding: string, suite: string) {
  const getByName = (name: string) =>
    new Proxy(
      {},
      {
        get:
          (_stub, method) =>
          (...given: unknown[]) =>
            ask({
              what: 'object',
              binding,
              name: `${suite} ${name}`,
              method,
              given: given.map((value) => [value].filter((one) => one !== undefined)),
            }),
      },
    )
  return { getByName } as unknown as DurableObjectNamespace<T>
}
