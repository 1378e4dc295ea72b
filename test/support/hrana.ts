/**
 * A small libSQL server for tests: Hrana 2 (JSON over HTTP) in front of the embedded engine, as @libsql/client speaks
 * it. It is our own double, because no real server can be installed here; `down` makes it answer 500.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import Database from 'libsql'
import * as z from 'zod'

const Value = z.looseObject({
  type: z.string(),
  value: z.unknown().optional(),
  base64: z.string().optional(),
})
type Value = z.infer<typeof Value>
const Statement = z.looseObject({
  sql: z.string().optional(),
  sql_id: z.number().optional(),
  args: z.array(Value).optional(),
})
type Statement = z.infer<typeof Statement>
interface Condition {
  type: string
  step?: number | undefined
  cond?: Condition | undefined
  conds?: Condition[] | undefined
}
const Condition: z.ZodType<Condition> = z.lazy(() =>
  z.looseObject({
    type: z.string(),
    step: z.number().optional(),
    cond: Condition.optional(),
    conds: z.array(Condition).optional(),
  }),
)
const Step = z.looseObject({ stmt: Statement, condition: Condition.nullish() })
const Request = z.looseObject({
  type: z.string(),
  sql: z.string().optional(),
  sql_id: z.number().optional(),
  stmt: Statement.optional(),
  batch: z.looseObject({ steps: z.array(Step) }).optional(),
})
const Pipeline = z.looseObject({ baton: z.string().nullish(), requests: z.array(Request) })

/** One client's stream: its connection and the statements it stored. */
interface Stream {
  engine: InstanceType<typeof Database>
  stored: Map<number, string>
}
type StepResult = { ok: true; result: object } | { ok: false; error: object } | undefined

export interface HranaServer {
  url: string
  token: string
  down(isDown: boolean): void
  /** How many requests came while it was down. */
  missed(): number
  stop(): Promise<void>
}

export async function startHrana(path: string): Promise<HranaServer> {
  const token = randomUUID()
  const streams = new Map<string, Stream>()
  let isDown = false
  let missed = 0
  const server = createServer(async (request, response) => {
    const reply = (status: number, body: object) => response.writeHead(status).end(JSON.stringify(body))
    if (isDown) {
      missed += 1
      return void reply(500, { message: 'down' })
    }
    if (request.headers.authorization !== `Bearer ${token}`)
      return void reply(401, { message: 'unauthorized' })
    if (request.url !== '/v2/pipeline') return void reply(request.url === '/v2' ? 200 : 404, {})
    const { baton, requests } = Pipeline.parse(JSON.parse(await textOf(request)))
    const id = baton ?? randomUUID()
    const stream = streams.get(id) ?? { engine: new Database(path), stored: new Map() }
    streams.set(id, stream)
    let closed = false
    const results = requests.map((one) => {
      if (one.type === 'close') closed = true
      const outcome = answer(stream, one)
      return outcome.ok
        ? { type: 'ok', response: { type: one.type, ...outcome.result } }
        : { type: 'error', error: outcome.error }
    })
    if (closed) {
      stream.engine.close()
      streams.delete(id)
    }
    reply(200, { baton: closed ? null : id, base_url: null, results })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // Listening on a port, so the address is no pipe's name.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    down: (value) => {
      isDown = value
    },
    missed: () => missed,
    async stop() {
      server.closeAllConnections()
      server.close()
      for (const { engine } of streams.values()) engine.close()
    },
  }
}

function answer(stream: Stream, request: z.infer<typeof Request>): Exclude<StepResult, undefined> {
  if (request.type === 'execute' && request.stmt) {
    const done = run(stream, request.stmt)
    return done.ok ? { ok: true, result: { result: done.result } } : done
  }
  if (request.type === 'store_sql') stream.stored.set(request.sql_id ?? 0, request.sql ?? '')
  if (request.type !== 'batch' || !request.batch) return { ok: true, result: {} }
  const steps: StepResult[] = []
  for (const { stmt, condition } of request.batch.steps) {
    steps.push(holds(condition ?? undefined, steps, stream) ? run(stream, stmt) : undefined)
  }
  const step_results = steps.map((step) => (step?.ok ? step.result : null))
  const step_errors = steps.map((step) => (step && !step.ok ? step.error : null))
  return { ok: true, result: { result: { step_results, step_errors } } }
}

function holds(condition: Condition | undefined, steps: StepResult[], stream: Stream): boolean {
  if (!condition) return true
  const step = steps[condition.step ?? -1]
  switch (condition.type) {
    case 'ok':
      return step?.ok === true
    case 'error':
      return step?.ok === false
    case 'not':
      return !holds(condition.cond, steps, stream)
    case 'and':
      return (condition.conds ?? []).every((one) => holds(one, steps, stream))
    case 'or':
      return (condition.conds ?? []).some((one) => holds(one, steps, stream))
    case 'is_autocommit':
      return !stream.engine.inTransaction
    default:
      return false
  }
}

function run({ engine, stored }: Stream, statement: Statement): Exclude<StepResult, undefined> {
  try {
    const prepared = engine.prepare(statement.sql ?? stored.get(statement.sql_id ?? 0) ?? '')
    prepared.safeIntegers(true)
    const args = (statement.args ?? []).map(decoded)
    if (!prepared.reader) {
      const { changes, lastInsertRowid } = prepared.run(...args)
      const result = {
        cols: [],
        rows: [],
        affected_row_count: changes,
        last_insert_rowid: String(lastInsertRowid),
      }
      return { ok: true, result }
    }
    const cols = prepared.columns().map(({ name, type }) => ({ name, decltype: type }))
    const rows = prepared
      .raw(true)
      .all(...args)
      .map((row) => z.array(z.unknown()).parse(row).map(encoded))
    return { ok: true, result: { cols, rows, affected_row_count: 0, last_insert_rowid: null } }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    const code = cause instanceof Error && 'code' in cause ? cause.code : 'SQLITE_ERROR'
    return { ok: false, error: { message, code } }
  }
}

function encoded(value: unknown): Value {
  if (value === null || value === undefined) return { type: 'null' }
  if (typeof value === 'bigint') return { type: 'integer', value: String(value) }
  if (typeof value === 'number') return { type: 'float', value }
  return { type: 'text', value: String(value) }
}

function decoded({ type, value }: Value): unknown {
  if (type === 'null') return null
  return type === 'integer' ? BigInt(String(value)) : value
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
