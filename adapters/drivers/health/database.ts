/** Health records in the shared database, where there is no Redis. A swap is one statement, so that one writer wins. */
import { and, eq, gte, lt, sql } from 'drizzle-orm'
import { parsedHealth } from '../../../core/backends/health.ts'
import { conversationMoves, healthRecords } from '../../../core/db/schema.ts'
import { type Db, type HealthStore, MOVE_LIFE_MS } from '../../../core/ports.ts'

/** D1 binds at most 100 values in a statement. */
const MOVES_A_STATEMENT = 20

export function databaseHealth(db: Db): HealthStore {
  return {
    async read() {
      const rows = await db.select().from(healthRecords)
      return new Map(
        rows.flatMap(({ key, record }) => {
          const health = parsedHealth(record)
          return health ? [[key, health] as const] : []
        }),
      )
    },
    async swap(key, seen, next) {
      const row = { revision: next.revision, record: JSON.stringify(next) }
      const won = await (seen === undefined
        ? db
            .insert(healthRecords)
            .values({ key, ...row })
            .onConflictDoNothing()
            .returning({ key: healthRecords.key })
        : db
            .update(healthRecords)
            .set(row)
            .where(and(eq(healthRecords.key, key), eq(healthRecords.revision, seen.revision)))
            .returning({ key: healthRecords.key }))
      return won.length === 1
    },
    async move(moves, now) {
      for (let from = 0; from < moves.length; from += MOVES_A_STATEMENT) {
        const rows = moves.slice(from, from + MOVES_A_STATEMENT).map(({ person, ...move }) => {
          return { ...move, userId: person, writtenAt: now }
        })
        await db
          .insert(conversationMoves)
          .values(rows)
          .onConflictDoUpdate({
            target: [conversationMoves.userId, conversationMoves.conversation],
            set: {
              backend: sql`excluded.backend`,
              idleUntil: sql`excluded.idle_until`,
              writtenAt: sql`excluded.written_at`,
            },
          })
      }
      await db.delete(conversationMoves).where(lt(conversationMoves.writtenAt, now - MOVE_LIFE_MS))
    },
    async movedSince(since) {
      const rows = await db.select().from(conversationMoves).where(gte(conversationMoves.writtenAt, since))
      return rows.map(({ userId, conversation, backend, idleUntil }) => {
        return { person: userId, conversation, backend, idleUntil }
      })
    },
  }
}
