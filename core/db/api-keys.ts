/** API keys, and the programs that people signed in. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { users } from './users.ts'

export const apiKeys = sqliteTable(
  'api_keys',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    name: text().notNull(),
    /** SHA-256 of the key, hex. The key itself is stored nowhere. */
    hash: text().notNull().unique(),
    prefix: text().notNull(),
    last4: text().notNull(),
    /** A device is a program that a person signed in on a machine: core/devices. It has tokens and no key. */
    kind: text({ enum: ['key', 'device'] })
      .notNull()
      .default('key'),
    status: text({ enum: ['active', 'disabled'] }).notNull(),
    disabledBy: text('disabled_by', { enum: ['owner', 'admin'] }),
    expiresAt: integer('expires_at'),
    /** The secret before the present one, which works until `previousEndsAt`; null = it was never rotated. */
    previousHash: text('previous_hash'),
    previousPrefix: text('previous_prefix'),
    previousLast4: text('previous_last4'),
    previousEndsAt: integer('previous_ends_at'),
    /** When it was used last since it was replaced; to a minute. */
    previousUsedAt: integer('previous_used_at'),
    /** Limits of this key in addition to its owner's; 0 = unlimited. */
    quotaTokens: integer('quota_tokens').notNull().default(0),
    budgetMicros: integer('budget_micros').notNull().default(0),
    requestsPerMinute: integer('requests_per_minute').notNull().default(0),
    tokensPerMinute: integer('tokens_per_minute').notNull().default(0),
    concurrentRequests: integer('concurrent_requests').notNull().default(0),
    /** The group that this key's calls are booked to while its owner is in it; null = the owner's. */
    billingGroupId: integer('billing_group_id'),
    /** JSON lists: globs of models, and networks in CIDR notation; null = no list. */
    models: text(),
    networks: text(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** A deleted key keeps its row, so that its usage keeps a name. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [index('api_keys_user').on(t.userId)],
)
