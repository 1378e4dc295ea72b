/** What an administrator should know of a person before deleting them: whose work would stop with their keys. */
import { and, asc, eq, gte, isNull, sql } from 'drizzle-orm'
import { CLIENT_NAMES, isProgram } from '../calls/client.ts'
import { adminKeys, apiKeys, usageLogs, users } from '../db/schema.ts'
import { nothingHere } from '../errors.ts'
import type { Clock, Db } from '../ports.ts'
import { DAY_MS } from '../units.ts'

const LOOKED_AT_MS = 30 * DAY_MS

interface LeavingKey {
  id: number
  name: string
  prefix: string
  last4: string
  /** What called with it in the last 30 days, most calls first. Times are ms since 1970. */
  clients: { client: string; requests: number; lastAt: number }[]
  /** One of them is no tool that a person sits at. */
  usedByProgram: boolean
}

interface Leaving {
  keys: LeavingKey[]
  /** Admin keys that they made, whose secrets they may know. Deleting the person does not end them. */
  adminKeys: { id: number; name: string }[]
}

/** Throws a Refusal not_found. */
export async function whatLeaves({ db, clock }: { db: Db; clock: Clock }, userId: number): Promise<Leaving> {
  const since = clock.now() - LOOKED_AT_MS
  if ((await db.$count(users, eq(users.id, userId))) === 0) throw nothingHere()
  const [keys, used, made] = await Promise.all([
    db
      .select()
      .from(apiKeys)
      .where(and(eq(apiKeys.userId, userId), eq(apiKeys.kind, 'key'), isNull(apiKeys.deletedAt)))
      .orderBy(asc(apiKeys.id)),
    db
      .select({
        keyId: usageLogs.apiKeyId,
        client: usageLogs.client,
        requests: sql<number>`count(*)`.mapWith(Number),
        lastAt: sql<number>`max(${usageLogs.createdAt})`.mapWith(Number),
      })
      .from(usageLogs)
      .where(and(eq(usageLogs.userId, userId), gte(usageLogs.createdAt, since)))
      .groupBy(usageLogs.apiKeyId, usageLogs.client),
    db
      .select({ id: adminKeys.id, name: adminKeys.name })
      .from(adminKeys)
      .where(and(eq(adminKeys.createdBy, userId), isNull(adminKeys.revokedAt)))
      .orderBy(asc(adminKeys.id)),
  ])
  return {
    adminKeys: made,
    keys: keys.map(({ id, name, prefix, last4 }) => {
      const clients = used
        .filter(({ keyId }) => keyId === id)
        .map(({ client, requests, lastAt }) => ({ client: named(client), requests, lastAt }))
        .sort((one, other) => other.requests - one.requests)
      return {
        id,
        name,
        prefix,
        last4,
        clients,
        usedByProgram: clients.some(({ client }) => isProgram(client)),
      }
    }),
  }
}

/** Calls of earlier releases have no client. */
function named(client: string): string {
  return CLIENT_NAMES.includes(client) ? client : 'other'
}
