/** The simulated account's own books: what each credential used, as the Admin API reports it. */
import { createHash } from 'node:crypto'
import type { Usage } from './usage.ts'

const DAY_MS = 86_400_000
const ADMIN = 'sim-admin'
/** Small, so that reading all pages is tried. */
const BUCKETS_A_PAGE = 7

/** Dollars per million tokens. */
export interface SimulatedRates {
  input: number
  output: number
  cacheRead: number
  cacheWrite5m: number
  cacheWrite1h: number
}

export interface SimulatedBooks {
  /** `batch`: it costs half. */
  enter(call: { credential: string; model: string; usage: Usage; outputTokens: number; batch: boolean }): void
  /** The answer to this address; undefined where there is none. */
  report(path: string, search: URLSearchParams): object | undefined
}

interface Entry {
  day: number
  credential: string
  model: string
  batch: boolean
  uncached_input_tokens: number
  output_tokens: number
  cache_read_input_tokens: number
  ephemeral_5m_input_tokens: number
  ephemeral_1h_input_tokens: number
}

/** Whether reports may be read with it. */
export function isAdmin(credential: string): boolean {
  return credential.startsWith(ADMIN)
}

/** `now`: ms since 1970. `ratesOf` a model; undefined: nothing costs anything. */
export function createBooks(
  now: () => number = Date.now,
  ratesOf: (model: string) => SimulatedRates | undefined = () => undefined,
): SimulatedBooks {
  const sums = new Map<string, Entry>()
  return {
    enter({ credential, model, usage, outputTokens, batch }) {
      const day = Math.floor(now() / DAY_MS) * DAY_MS
      const key = JSON.stringify([day, credential, model, batch])
      const sum = sums.get(key)
      sums.set(key, {
        day,
        credential,
        model,
        batch,
        uncached_input_tokens: (sum?.uncached_input_tokens ?? 0) + usage.input_tokens,
        output_tokens: (sum?.output_tokens ?? 0) + outputTokens,
        cache_read_input_tokens: (sum?.cache_read_input_tokens ?? 0) + usage.cache_read_input_tokens,
        ephemeral_5m_input_tokens:
          (sum?.ephemeral_5m_input_tokens ?? 0) + usage.cache_creation.ephemeral_5m_input_tokens,
        ephemeral_1h_input_tokens:
          (sum?.ephemeral_1h_input_tokens ?? 0) + usage.cache_creation.ephemeral_1h_input_tokens,
      })
    },
    report(path, search) {
      const ofDay = (day: number) => [...sums.values()].filter((one) => one.day === day)
      if (path === '/v1/organizations/api_keys') return keysOf([...sums.values()])
      if (path === '/v1/organizations/usage_report/messages')
        return pageOf(search, (day) => ofDay(day).map(useOf))
      if (path === '/v1/organizations/cost_report')
        return pageOf(search, (day) => ofDay(day).flatMap((entry) => costsOf(entry, ratesOf(entry.model))))
      return undefined
    },
  }
}

function keysOf(entries: readonly Entry[]) {
  const credentials = [...new Set(entries.map(({ credential }) => credential))]
  const data = credentials.map((credential) => {
    const hint = `${credential.slice(0, 5)}...${credential.slice(-4)}`
    return { id: keyIdOf(credential), type: 'api_key', name: hint, status: 'active', partial_key_hint: hint }
  })
  return { data, has_more: false, first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null }
}

function keyIdOf(credential: string): string {
  return `apikey_sim${createHash('sha256').update(credential).digest('hex').slice(0, 16)}`
}

function pageOf(search: URLSearchParams, resultsOf: (day: number) => object[]) {
  const from = Date.parse(search.get('starting_at') ?? '')
  const to = Date.parse(search.get('ending_at') ?? '')
  const start = from + Number(search.get('page') ?? 0) * DAY_MS
  const data = []
  for (let day = start; day < to && data.length < BUCKETS_A_PAGE; day += DAY_MS) {
    const ends = new Date(day + DAY_MS).toISOString()
    data.push({ starting_at: new Date(day).toISOString(), ending_at: ends, results: resultsOf(day) })
  }
  const next = (start - from) / DAY_MS + data.length
  const more = from + next * DAY_MS < to
  return { data, has_more: more, next_page: more ? String(next) : null }
}

/** As with group_by of model and api_key_id. */
function useOf({ credential, model, day: _day, batch: _batch, ...tokens }: Entry): object {
  const { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens, ...rest } = tokens
  const cache_creation = { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens }
  return { ...rest, cache_creation, model, api_key_id: keyIdOf(credential) }
}

/** As with group_by of description: one result for each class of tokens, in cents. */
function costsOf(entry: Entry, rates: SimulatedRates | undefined): object[] {
  if (!rates) return []
  const share = entry.batch ? 0.5 : 1
  const parts: [string, number][] = [
    ['uncached_input_tokens', entry.uncached_input_tokens * rates.input],
    ['output_tokens', entry.output_tokens * rates.output],
    ['cache_read_input_tokens', entry.cache_read_input_tokens * rates.cacheRead],
    ['cache_creation.ephemeral_5m_input_tokens', entry.ephemeral_5m_input_tokens * rates.cacheWrite5m],
    ['cache_creation.ephemeral_1h_input_tokens', entry.ephemeral_1h_input_tokens * rates.cacheWrite1h],
  ]
  return parts.map(([token_type, micros]) => ({
    amount: String((micros * share) / 10_000),
    currency: 'USD',
    description: `${entry.model} - ${token_type}`,
    cost_type: 'tokens',
    model: entry.model,
    token_type,
  }))
}
