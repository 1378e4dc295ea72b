/** The calendar month of a person or of everybody, in the time zone of the limits. */
import { api, type Report, type Scope } from '../api/index.ts'

export interface Month {
  report: Report
  /** YYYY-MM-DD */
  today: string
}

/** Rows by day and model, all of them, with what as many days of before came to. */
export async function loadMonth(scope: Scope): Promise<Month> {
  // The gateway knows what day it is where limits are counted.
  const { end_date: today } = await api.report(scope, { page_size: 1 })
  const report = await api.report(scope, {
    start_date: `${today.slice(0, 8)}01`,
    end_date: today,
    bucket: 'day',
    group_by: 'model',
    sort: 'time',
    order: 'asc',
    compare: 'true',
    page_size: 1000,
  })
  return { report, today }
}

/** US dollars by day. */
export function costsOf({ rows }: Report): Map<string, number> {
  const costs = new Map<string, number>()
  for (const { bucket, cost_usd } of rows) costs.set(bucket, (costs.get(bucket) ?? 0) + cost_usd)
  return costs
}

/** The share of input tokens that came from the prompt cache; undefined without any. */
export function cacheHitRate({ totals }: Report): number | undefined {
  const { input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens } = totals
  const input = input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
  return input > 0 ? cache_read_tokens / input : undefined
}

/** What people or groups cost this month, the most expensive first, with what as many days of before came to. */
export function loadRanking(scope: Scope, by: 'user' | 'group', { today }: Month): Promise<Report> {
  const from = `${today.slice(0, 8)}01`
  return api.report(scope, {
    start_date: from,
    end_date: today,
    group_by: by,
    compare: 'true',
    page_size: RANKED,
  })
}

const RANKED = 8
