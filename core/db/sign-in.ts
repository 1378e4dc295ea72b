/** Who is signed in, and the codes that lead there. */
import { index, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { users } from './users.ts'

export const sessions = sqliteTable(
  'sessions',
  {
    /** `sid` of the JWT. */
    id: text().primaryKey(),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    createdAt: integer('created_at').notNull(),
    lastSeenAt: integer('last_seen_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    revokedAt: integer('revoked_at'),
    ip: text(),
    userAgent: text('user_agent'),
  },
  (t) => [index('sessions_user').on(t.userId), index('sessions_expires').on(t.expiresAt)],
)

export const loginCodes = sqliteTable(
  'login_codes',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    itcode: text().notNull(),
    codeHash: text('code_hash').notNull(),
    /** SHA-256 of the browser cookie: only this browser can use the code. '' = any browser can. */
    browserHash: text('browser_hash').notNull(),
    ip: text().notNull(),
    attempts: integer().notNull().default(0),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    /** When it was used or invalidated, e.g. by wrong guesses. */
    consumedAt: integer('consumed_at'),
    /** When a login used it. Such a row also makes the browser known to the account. */
    usedAt: integer('used_at'),
    /** Whether the account knew the browser when the code was issued; known browsers have limits of their own. */
    known: integer({ mode: 'boolean' }).notNull().default(false),
    /** Whether it may make an account: an invite code or invitation came with the request. */
    newcomer: integer({ mode: 'boolean' }).notNull().default(false),
    invitationId: integer('invitation_id'),
  },
  (t) => [
    index('login_codes_itcode').on(t.itcode, t.createdAt),
    index('login_codes_ip').on(t.ip, t.createdAt),
  ],
)
