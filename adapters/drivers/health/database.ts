/** Health in the database that all processes share, for places without Redis. One statement decides who wins. */
import { and, eq } from 'drizzle-orm'
import { backendHealth } from '../../../core/db/schema.ts'
import type { Db, HealthStore } from '../../../core/ports.ts'

export function databaseHealth(db: Db): HealthStore {
  return {
    async read() {
      const rows = await db.select().from(backendHealth)
      return new Map(rows.map(({ key, ...health }) => [key, health]))
    },
    async swap(key, seen, next) {
      const won = await (seen === undefined
        ? db
            .insert(backendHealth)
            .values({ key, ...next })
            .onConflictDoNothing()
            .returning({ key: backendHealth.key })
        : db
            .update(backendHealth)
            .set(next)
            .where(and(eq(backendHealth.key, key), eq(backendHealth.revision, seen.revision)))
            .returning({ key: backendHealth.key }))
      return won.length === 1
    },
  }
}
