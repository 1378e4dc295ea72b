/** What of usage is looked at: kept in the address, so that a view can be shared and gone back to. */

import type { Query } from './api/client.ts'
import { MEASURES, type Measure } from './charts/bars.ts'
import { dayAfter, isDate } from './days.ts'
import { localDay, ZONE } from './format.ts'

export const RANGES = ['today', 'yesterday', '7d', '30d', 'month', 'custom'] as const
export const OUTCOMES = ['failed', 'ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted'] as const
type RangeName = (typeof RANGES)[number]

export interface UsageFilter {
  range: RangeName
  from: string
  to: string
  model: string
  key: string
  user: string
  backend: string
  measure: Measure
  page: number
  /** Of the log alone: with one of these it has no numbered pages. */
  outcome: string
  session: string
  request: string
  cursor: string
}

interface Span {
  from: string
  to: string
}

/** The last `count` days of the reader's calendar: today is the last. */
export function lastDays(count: number): Span {
  const to = localDay(new Date())
  return { from: dayAfter(to, 1 - count), to }
}

function spanOf(range: RangeName, from: string, to: string): Span {
  const { to: today } = lastDays(1)
  switch (range) {
    case 'today':
      return lastDays(1)
    case 'yesterday': {
      const day = dayAfter(today, -1)
      return { from: day, to: day }
    }
    case '7d':
      return lastDays(7)
    case '30d':
      return lastDays(30)
    case 'month':
      return { from: `${today.slice(0, 8)}01`, to: today }
    case 'custom': {
      const week = lastDays(7)
      const [first, last] = [isDate(from) ? from : week.from, isDate(to) ? to : week.to]
      return first <= last ? { from: first, to: last } : { from: last, to: first }
    }
  }
}

function among<T extends string>(values: readonly T[], value: string | null, otherwise: T): T {
  return values.find((one) => one === value) ?? otherwise
}

export function filterFrom(parameters: Pick<URLSearchParams, 'get'>): UsageFilter {
  const text = (name: string) => parameters.get(name) ?? ''
  const range = among(RANGES, parameters.get('range'), '30d')
  return {
    range,
    ...spanOf(range, text('from'), text('to')),
    model: text('model'),
    key: text('key'),
    user: text('user'),
    backend: text('backend'),
    measure: among(MEASURES, parameters.get('show'), 'cost'),
    page: Math.max(1, Number.parseInt(text('page'), 10) || 1),
    outcome: OUTCOMES.find((one) => one === text('outcome')) ?? '',
    session: text('session'),
    request: text('request'),
    cursor: text('cursor'),
  }
}

/** The address of a view; what is usual is left out. */
export function addressOf(filter: UsageFilter): string {
  const { range, from, to, measure, page } = filter
  const parameters = new URLSearchParams()
  const set = (name: string, value: string, usual = '') => value !== usual && parameters.set(name, value)
  set('range', range, '30d')
  if (range === 'custom') {
    set('from', from)
    set('to', to)
  }
  const plain = ['model', 'key', 'user', 'backend', 'outcome', 'session', 'request', 'cursor'] as const
  for (const name of plain) set(name, filter[name])
  set('show', measure, 'cost')
  set('page', String(page), '1')
  const text = parameters.toString()
  return text ? `?${text}` : '?'
}

/** A span in the words of the usage routes. */
export function daysOf({ from, to }: Span): Query {
  return { start_date: from, end_date: to, tz: ZONE }
}

export function queryOf({ from, to, model, key, user, backend }: UsageFilter): Query {
  return { ...daysOf({ from, to }), model, key_id: key, user_id: user, backend }
}

/** Whether the log is searched for something that sums do not know. */
export function isSearch({ outcome, session, request }: UsageFilter): boolean {
  return [outcome, session, request].some((part) => part !== '')
}

/** What only the log is asked for. */
export function logQueryOf(filter: UsageFilter): Query {
  const { outcome, session, request } = filter
  return { ...queryOf(filter), outcome, session, request_id: request }
}
