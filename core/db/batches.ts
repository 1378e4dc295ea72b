/** Batches whose use is not all booked yet, and those that were. */
import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const batches = sqliteTable(
  'batches',
  {
    /** The request that made it. */
    requestId: text('request_id').primaryKey(),
    /** As the account names it; null while it is not known whether the account has it. */
    id: text(),
    backend: text().notNull(),
    userId: integer('user_id').notNull(),
    apiKeyId: integer('api_key_id').notNull(),
    /** As usage_logs has them. */
    billingGroupId: integer('billing_group_id').notNull(),
    billingParents: text('billing_parents').notNull(),
    client: text().notNull(),
    project: text().notNull(),
    /** As its requests name it and as it is sent; '' where they name several. */
    requestedModel: text('requested_model').notNull(),
    model: text().notNull(),
    requests: integer().notNull(),
    /** Sum of the hashes of the custom ids, by which a batch is known again whose id never came. */
    idsHash: integer('ids_hash').notNull(),
    /** What limit_spent has of it until its results are booked: the most that it may use, at half price. */
    tokens: integer().notNull(),
    micros: integer().notNull(),
    /** The periods that it counts in. */
    day: integer().notNull(),
    week: integer().notNull(),
    month: integer().notNull(),
    createdAt: integer('created_at').notNull(),
    /** `lost`: the account has no results of it. */
    state: text({ enum: ['sending', 'open', 'booked', 'lost'] }).notNull(),
    /** When to look next whether it has ended (ms since 1970). */
    checkAt: integer('check_at').notNull(),
  },
  (t) => [uniqueIndex('batches_id').on(t.id), index('batches_due').on(t.state, t.checkAt)],
)

/** What limit_spent has of batches that are not booked: with the columns of a log. */
export const RESERVED = sql`(select user_id, api_key_id, billing_group_id, billing_parents, micros, tokens, created_at, day, week,
  month from batches where state in ('sending', 'open'))`
