/** What upstream accounts report of their own use, beside what is in the log. */
import { integer, primaryKey, sqliteTable, text } from 'drizzle-orm/sqlite-core'

/** Parts of a day's use that are compared: tokens by class, and the cost in micro-dollars. */
export const MEASURES = [
  'input',
  'output',
  'cache_read',
  'cache_write_5m',
  'cache_write_1h',
  'cost_micros',
] as const

/** UTC days (ms at their start) of an account, by the names of its backends. */
export const reconciledDays = sqliteTable(
  'reconciled_days',
  {
    account: text().notNull(),
    day: integer().notNull(),
    /** When a process last began to ask for it; 0 = it failed. */
    askedAt: integer('asked_at').notNull(),
    /** When an answer was last stored; null = never. */
    comparedAt: integer('compared_at'),
    /** Why it failed last; '' = it did not. */
    problem: text().notNull().default(''),
    /** Whether the account lists a key that looks like ours, so that calls of other keys are known apart. */
    keyKnown: integer('key_known', { mode: 'boolean' }).notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.account, t.day] })],
)

export const reconciledUse = sqliteTable(
  'reconciled_use',
  {
    account: text().notNull(),
    day: integer().notNull(),
    model: text().notNull(),
    measure: text({ enum: MEASURES }).notNull(),
    /** In the log; `estimated` of it because the upstream's count did not come. */
    ours: integer().notNull(),
    estimated: integer().notNull(),
    /** In the upstream's report; `outside` of it by other keys than ours, costs of them at our prices. */
    theirs: integer().notNull(),
    outside: integer().notNull(),
  },
  (t) => [primaryKey({ columns: [t.account, t.day, t.model, t.measure] })],
)
