/** Where people come from: identities at providers, invitations, what SCIM keeps, and the keys of programs that administer. */
import { sql } from 'drizzle-orm'
import { check, index, integer, primaryKey, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { users } from './users.ts'

/** A person at a provider. One person may have several. */
export const identities = sqliteTable(
  'identities',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: integer('user_id')
      .notNull()
      .references(() => users.id),
    /** The OIDC issuer, or the name of another method, e.g. ldap. */
    issuer: text().notNull(),
    subject: text().notNull(),
    /** The provider's refresh token, sealed by core/secrets; null where none is kept. */
    refreshToken: text('refresh_token'),
    /** When the provider last said that this person may go on: at a sign-in or refresh. */
    verifiedAt: integer('verified_at').notNull(),
    /** Since when the provider cannot be asked; null while it answers. */
    failingSince: integer('failing_since'),
    /** Until when one process asks the provider, so that a token is used once. */
    claimedUntil: integer('claimed_until').notNull().default(0),
    createdAt: integer('created_at').notNull(),
  },
  (t) => [
    uniqueIndex('identities_subject').on(t.issuer, t.subject),
    index('identities_user').on(t.userId),
    index('identities_verified').on(t.verifiedAt),
  ],
)

/** People whom a directory keeps by SCIM. */
export const scimUsers = sqliteTable(
  'scim_users',
  {
    userId: integer('user_id')
      .primaryKey()
      .references(() => users.id),
    userName: text('user_name').notNull(),
    /** Lower case, because RFC 7643 compares it so. */
    userNameKey: text('user_name_key').notNull().unique(),
    externalId: text('external_id'),
    /** What the directory said last. */
    active: integer({ mode: 'boolean' }).notNull(),
    /** It disabled the account, so that it alone brings it back: whom an admin disabled stays so. */
    deactivated: integer({ mode: 'boolean' }).notNull().default(false),
    /** JSON of what the directory sent and nothing here reads, so that it is given back. */
    attributes: text().notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (t) => [index('scim_users_external').on(t.externalId)],
)

/** Links that make an account. */
export const invitations = sqliteTable(
  'invitations',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** SHA-256 of the link's secret, hex. */
    hash: text().notNull().unique(),
    /** Only this address may use it; null = whoever has the link. */
    email: text(),
    name: text(),
    role: text({ enum: ['user', 'admin', 'billing', 'auditor'] }).notNull(),
    /** JSON list of group ids. */
    groupIds: text('group_ids').notNull(),
    /** Their own spend limit; null = none. */
    limitMicros: integer('limit_micros'),
    limitPeriod: text('limit_period', { enum: ['daily', 'weekly', 'monthly', 'total'] }),
    mostUses: integer('most_uses').notNull(),
    uses: integer().notNull().default(0),
    createdBy: integer('created_by'),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    /** When it was taken back. */
    revokedAt: integer('revoked_at'),
  },
  (t) => [index('invitations_email').on(t.email), check('invitations_uses', sql`uses <= most_uses`)],
)

export const invitationUses = sqliteTable(
  'invitation_uses',
  {
    invitationId: integer('invitation_id').notNull(),
    userId: integer('user_id').notNull(),
    usedAt: integer('used_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.invitationId, t.userId] }), index('invitation_uses_user').on(t.userId)],
)

/** Credentials of programs that administer the gateway. No call to a model can be made with them. */
export const adminKeys = sqliteTable(
  'admin_keys',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    /** SHA-256 of the key, hex. */
    hash: text().notNull().unique(),
    last4: text().notNull(),
    /** JSON list of scopes: core/keys/admin-keys.ts. */
    scopes: text().notNull(),
    createdBy: integer('created_by'),
    createdAt: integer('created_at').notNull(),
    /** null = never. */
    expiresAt: integer('expires_at'),
    /** To the minute; null = never. */
    lastUsedAt: integer('last_used_at'),
    revokedAt: integer('revoked_at'),
  },
  (t) => [uniqueIndex('admin_keys_name').on(t.name).where(sql`revoked_at is null`)],
)
