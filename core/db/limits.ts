/** Spend limits, and what counts against them. */
import { integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

const period = text({ enum: ['daily', 'weekly', 'monthly', 'total'] }).notNull()

/** What may be spent in a period. One row for each scope and period. */
export const spendLimits = sqliteTable(
  'spend_limits',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** `each`: every member has it for themselves. `pool`: all share it. */
    scope: text({
      enum: ['user', 'group_each', 'group_pool', 'organisation_each', 'organisation_pool'],
    }).notNull(),
    /** users.id or groups.id; 0 for the organisation. */
    scopeId: integer('scope_id').notNull(),
    period,
    /** Micro-dollars; 0 = nothing may be spent. null = unlimited, or nothing is said if `is_set` is false. */
    amountMicros: integer('amount_micros'),
    /** False where the row holds a temporary amount alone: after it the next rule decides. */
    isSet: integer('is_set', { mode: 'boolean' }).notNull().default(true),
    /** Holds in place of the other until this time (ms since 1970). Both or neither. */
    temporaryMicros: integer('temporary_micros'),
    temporaryUntil: integer('temporary_until'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [uniqueIndex('spend_limits_scope').on(t.scope, t.scopeId, t.period)],
)

/**
 * What each owner of limits used in each period, written in the batch of the usage row, limited or not, so that a limit can be
 * set at any time. The migration makes it WITHOUT ROWID.
 */
export const limitSpent = sqliteTable(
  'limit_spent',
  {
    /** `user:7`, `key:12`, `group:3`, `organisation:0`. */
    owner: text().notNull(),
    period,
    /** First ms of the period by limits.time_zone; 0 for total. */
    start: integer().notNull(),
    micros: integer().notNull(),
    tokens: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.owner, t.period, t.start] })],
)
