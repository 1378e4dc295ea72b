/**
 * What an account of Anthropic reports of its own use: Admin API, usage_report/messages and cost_report
 * (https://platform.claude.com/docs/en/build-with-claude/usage-cost-api), by UTC day, model and API key.
 */
import * as z from 'zod'
import { originOf } from '../backends/address.ts'
import { wholeBody } from '../calls/whole-body.ts'
import type { Clock, Upstream } from '../ports.ts'
import type { Backend } from '../settings.ts'
import { createStop } from '../stop.ts'
import { DAY_MS } from '../units.ts'

const TIMEOUT_MS = 30_000
const MOST_BYTES = 16 * 1024 * 1024
/** An upstream that leads in circles is left after so many. */
const MOST_PAGES = 1_000
const MICROS_PER_CENT = 10_000

const count = z.number().nonnegative().default(0)
const Page = <Row extends z.ZodType>(row: Row) =>
  z.looseObject({
    data: z.array(row),
    has_more: z.boolean().default(false),
    next_page: z.string().nullish(),
    last_id: z.string().nullish(),
  })
const Keys = Page(z.looseObject({ id: z.string(), partial_key_hint: z.string().nullish() }))
const bucketOf = <Result extends z.ZodType>(result: Result) =>
  z.looseObject({ starting_at: z.iso.datetime({ offset: true }), results: z.array(result) })
const Use = Page(
  bucketOf(
    z.looseObject({
      model: z.string().nullish(),
      api_key_id: z.string().nullish(),
      uncached_input_tokens: count,
      output_tokens: count,
      cache_read_input_tokens: count,
      cache_creation: z
        .looseObject({ ephemeral_5m_input_tokens: count, ephemeral_1h_input_tokens: count })
        .prefault({}),
    }),
  ),
)
const Costs = Page(
  bucketOf(
    z.looseObject({
      model: z.string().nullish(),
      amount: z.coerce.number(),
      currency: z.literal('USD').default('USD'),
    }),
  ),
)

/** Tokens of a model that one key used on one UTC day (ms at its start). */
interface ReportedUse {
  day: number
  model: string
  ours: boolean
  tokens: { input: number; output: number; cacheRead: number; cacheWrite5m: number; cacheWrite1h: number }
}

export interface AccountReport {
  /** Whether one of the account's keys looks like ours; else every call counts as ours. */
  keyKnown: boolean
  use: ReportedUse[]
  costs: { day: number; model: string; micros: number }[]
}

interface Parts {
  upstream: Upstream
  clock: Clock
}

/** Reports of whole UTC days from `from` to before `to` (ms). `backends` share an account. Throws an Error that says what failed. */
export async function readReports(
  parts: Parts,
  backends: readonly [Backend, ...Backend[]],
  { from, to }: { from: number; to: number },
): Promise<AccountReport> {
  const [backend] = backends
  const span = `starting_at=${new Date(from).toISOString()}&ending_at=${new Date(to).toISOString()}`
  const limit = `bucket_width=1d&limit=${Math.round((to - from) / DAY_MS)}`
  const keys = await pages(parts, backend, Keys, '/v1/organizations/api_keys?limit=1000')
  const own = new Set(
    keys
      .filter((key) => backends.some(({ apiKey }) => isHintOf(key.partial_key_hint ?? '', apiKey)))
      .map(({ id }) => id),
  )
  const use = await pages(
    parts,
    backend,
    Use,
    `/v1/organizations/usage_report/messages?${span}&${limit}&group_by[]=model&group_by[]=api_key_id`,
  )
  const costs = await pages(
    parts,
    backend,
    Costs,
    `/v1/organizations/cost_report?${span}&${limit}&group_by[]=description`,
  )
  return {
    keyKnown: own.size > 0,
    use: use.flatMap(({ starting_at, results }) =>
      results.map((result) => useOf(Date.parse(starting_at), result, own)),
    ),
    costs: costs.flatMap(({ starting_at, results }) =>
      results.map(({ model, amount }) => {
        return {
          day: Date.parse(starting_at),
          model: model ?? '',
          micros: Math.round(amount * MICROS_PER_CENT),
        }
      }),
    ),
  }
}

type Used = z.output<typeof Use>['data'][number]['results'][number]

function useOf(day: number, used: Used, own: ReadonlySet<string>): ReportedUse {
  const { cache_creation: written } = used
  return {
    day,
    model: used.model ?? '',
    ours: own.size === 0 || own.has(used.api_key_id ?? ''),
    tokens: {
      input: used.uncached_input_tokens,
      output: used.output_tokens,
      cacheRead: used.cache_read_input_tokens,
      cacheWrite5m: written.ephemeral_5m_input_tokens,
      cacheWrite1h: written.ephemeral_1h_input_tokens,
    },
  }
}

/** Whether a hint such as sk-ant-api03-R2D...igAA is of this key. */
function isHintOf(hint: string, key: string): boolean {
  const [start = '', end = ''] = hint.split('...')
  return end !== '' && key.startsWith(start) && key.endsWith(end)
}

async function pages<Row>(
  parts: Parts,
  backend: Backend,
  schema: z.ZodType<{
    data: Row[]
    has_more: boolean
    next_page?: string | null | undefined
    last_id?: string | null | undefined
  }>,
  path: string,
): Promise<Row[]> {
  const rows: Row[] = []
  let next = path
  for (let page = 0; page < MOST_PAGES; page++) {
    const answer = schema.safeParse(await read(parts, backend, next))
    if (!answer.success) throw new Error(`${path.split('?')[0]} answered with something unexpected.`)
    const { data, has_more, next_page, last_id } = answer.data
    rows.push(...data)
    if (!has_more) return rows
    next = next_page
      ? `${path}&page=${encodeURIComponent(next_page)}`
      : `${path}&after_id=${encodeURIComponent(last_id ?? '')}`
  }
  throw new Error(`${path.split('?')[0]} has no last page.`)
}

async function read({ upstream, clock }: Parts, backend: Backend, path: string): Promise<unknown> {
  const stop = createStop()
  const cancelTimer = clock.after(TIMEOUT_MS, () => stop.abort(new Error('no answer in 30 s')))
  const { origin, base } = originOf(backend.url)
  const place = path.split('?')[0]
  try {
    const reply = await upstream.send(
      {
        method: 'GET',
        origin,
        proxy: backend.proxy,
        path: base + path,
        headers: [
          ['accept', 'application/json'],
          ['accept-encoding', 'identity'],
          ['anthropic-version', '2023-06-01'],
          ['x-api-key', backend.adminKey ?? ''],
        ],
        body: undefined,
      },
      stop.signal,
    )
    const body = await wholeBody(reply.pipe, MOST_BYTES)
    if (reply.status !== 200) throw new Error(`${place} answered ${reply.status}.`)
    return JSON.parse(new TextDecoder().decode(body))
  } finally {
    cancelTimer()
  }
}
