/** Claude Code and other programs that people sign in on a machine. A device itself is a row of api_keys. */
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'

/** A program that waits for a person to let it in: https://www.rfc-editor.org/rfc/rfc8628 */
export const deviceGrants = sqliteTable(
  'device_grants',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** SHA-256, hex. */
    deviceCodeHash: text('device_code_hash').notNull(),
    /** Letters without the hyphen. */
    userCode: text('user_code').notNull(),
    /** What asks, e.g. claude-code/2.1.332. */
    client: text().notNull(),
    /** An address, or an IPv6 /64. */
    ip: text().notNull(),
    status: text({ enum: ['pending', 'approved', 'denied', 'used'] }).notNull(),
    userId: integer('user_id'),
    /** How long the program must wait between two questions, in ms. */
    intervalMs: integer('interval_ms').notNull(),
    askedAt: integer('asked_at'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (t) => [
    uniqueIndex('device_grants_device_code').on(t.deviceCodeHash),
    uniqueIndex('device_grants_user_code').on(t.userCode),
    index('device_grants_ip').on(t.ip, t.createdAt),
    index('device_grants_expires').on(t.expiresAt),
  ],
)

/** Refresh tokens of devices. They change every hour, so that no key cache is brought up to date by them. */
export const refreshTokens = sqliteTable(
  'refresh_tokens',
  {
    /** SHA-256, hex. */
    hash: text().primaryKey(),
    /** The device. */
    keyId: integer('key_id').notNull(),
    ip: text().notNull(),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    /** When it was first used; it works for a while longer, because two terminals of one machine send the same one. */
    replacedAt: integer('replaced_at'),
  },
  (t) => [index('refresh_tokens_key').on(t.keyId), index('refresh_tokens_expires').on(t.expiresAt)],
)
