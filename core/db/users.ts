/** People and service accounts. */
import { sql } from 'drizzle-orm'
import { integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

export const users = sqliteTable(
  'users',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** Account name: NFKC, trimmed, lower case. Often an e-mail address. */
    itcode: text().notNull().unique(),
    name: text().notNull(),
    role: text({ enum: ['user', 'admin', 'billing', 'auditor'] }).notNull(),
    /** A service account is a program's: nobody signs in to it. */
    kind: text({ enum: ['person', 'service'] })
      .notNull()
      .default('person'),
    status: text({ enum: ['active', 'disabled'] }).notNull(),
    /** Tokens and micro-dollars per limits.period; 0 = unlimited. */
    quotaTokens: integer('quota_tokens').notNull().default(0),
    /** Earlier releases kept the spend limit of limits.period here; now it is in spend_limits. */
    budgetMicros: integer('budget_micros').notNull().default(0),
    /** null = as configured in limits.*; 0 = unlimited. */
    requestsPerMinute: integer('requests_per_minute'),
    tokensPerMinute: integer('tokens_per_minute'),
    concurrentRequests: integer('concurrent_requests'),
    /** The group that an admin booked this person's calls to; null = as their groups say. Of a service account: its owner. */
    billingGroupId: integer('billing_group_id'),
    /** The group of that name in the directory: their department or cost centre. An admin's choice goes before it. */
    directoryGroupId: integer('directory_group_id'),
    /** Address in one spelling; null = the account name says it. */
    email: text(),
    /** The address came from a directory or program. Nobody with rights gets codes there before an admin confirms it. */
    emailUnconfirmed: integer('email_unconfirmed', { mode: 'boolean' }).notNull().default(false),
    /** Where they want notices instead, an address that they confirmed. Nobody signs in with it. */
    noticeEmail: text('notice_email'),
    /** Since when their keys wait for them to sign in again; null = they do not. */
    pausedAt: integer('paused_at'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    /** A deleted account keeps its row, so that its usage keeps a name. It is disabled and hidden. */
    deletedAt: integer('deleted_at'),
  },
  (t) => [uniqueIndex('users_email').on(t.email).where(sql`deleted_at is null`)],
)
