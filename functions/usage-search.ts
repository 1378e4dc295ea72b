/** What only the log is filtered by, beside what its sums know. */
import * as z from 'zod'
import type { LogFilter } from '../core/reports/log-pages.ts'
import type { LogRow } from '../core/reports/log-rows.ts'
import type { Filter } from '../core/reports/query.ts'
import { line } from './fields.ts'

export const OUTCOME = z.enum(['ok', 'error', 'client_aborted', 'upstream_cut', 'interrupted'])
/** A user and the hash of one of their sessions. */
export const SESSION = /^(\d{1,15})-([0-9a-z]{1,20})$/

export const LOG_FILTERS = {
  outcome: z
    .enum([...OUTCOME.options, 'failed'])
    .optional()
    .meta({ description: 'failed: every one but ok.' }),
  session: z
    .string()
    .regex(SESSION, 'the session of a call is expected')
    .optional()
    .meta({ description: 'As calls have it.' }),
  request_id: line(200).optional(),
}

interface Asked {
  outcome?: LogFilter['outcome']
  session?: string | undefined
  request_id?: string | undefined
}

/** Sums do not tell these apart, so that there are no numbers of pages. */
export function isSearch({ outcome, session, request_id }: Asked): boolean {
  return [outcome, session, request_id].some((part) => part !== undefined)
}

/** `filter` with them added. A session that is somebody else's has no calls of theirs. */
export function searchOf(filter: Filter, { outcome, session, request_id: requestId }: Asked): LogFilter {
  if (session === undefined) return { ...filter, outcome, requestId }
  const [, owner, hash = ''] = SESSION.exec(session) ?? []
  const userId = filter.userId ?? Number(owner)
  return { ...filter, outcome, requestId, userId, session: userId === Number(owner) ? hash : '' }
}

/** As routes name it: unique over all people. */
export function sessionId({ userId, session }: Pick<LogRow, 'userId' | 'session'>): string | null {
  return session === '' ? null : `${userId}-${session}`
}
