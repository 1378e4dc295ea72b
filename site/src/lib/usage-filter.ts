/** What of usage is looked at: kept in the address, so that a view can be shared and gone back to. */

import type { Query } from './api/client.ts'
import { MEASURES, type Measure } from './charts/bars.ts'
import { localDay, ZONE } from './format.ts'

export const RANGES = ['today', '7d', '30d', 'month', 'custom'] as const
export type RangeName = (typeof RANGES)[number]

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
}

const DAY_MS = 86_400_000
const DATE = /^\d{4}-\d\d-\d\d$/

function spanOf(range: RangeName, from: string, to: string): { from: string; to: string } {
  const now = new Date()
  const today = localDay(now)
  const ago = (days: number) => localDay(new Date(now.getTime() - days * DAY_MS))
  switch (range) {
    case 'today':
      return { from: today, to: today }
    case '7d':
      return { from: ago(6), to: today }
    case '30d':
      return { from: ago(29), to: today }
    case 'month':
      return { from: `${today.slice(0, 8)}01`, to: today }
    case 'custom':
      return { from: DATE.test(from) ? from : ago(6), to: DATE.test(to) ? to : today }
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
  }
}

/** The address of a view; what is usual is left out. */
export function addressOf(filter: UsageFilter): string {
  const { range, from, to, model, key, user, backend, measure, page } = filter
  const parameters = new URLSearchParams()
  const set = (name: string, value: string, usual = '') => value !== usual && parameters.set(name, value)
  set('range', range, '30d')
  if (range === 'custom') {
    set('from', from)
    set('to', to)
  }
  set('model', model)
  set('key', key)
  set('user', user)
  set('backend', backend)
  set('show', measure, 'cost')
  set('page', String(page), '1')
  const text = parameters.toString()
  return text ? `?${text}` : '?'
}

export function queryOf({ from, to, model, key, user, backend }: UsageFilter): Query {
  return { start_date: from, end_date: to, tz: ZONE, model, key_id: key, user_id: user, backend }
}
