/** Migrates a database to this version's schema. Several processes may run it at once. */
import { sql } from 'drizzle-orm'
import type { Db } from '../ports.ts'
import { migrations } from './migrations.gen.ts'

/** Thrown for a database that has migrations of a newer gateway. */
export class NewerSchema extends Error {
  constructor(names: string[]) {
    super(`The database is newer than this gateway (it has ${names.join(', ')}). Start the newer version.`)
    this.name = 'NewerSchema'
  }
}

/**
 * Applies missing migrations, each in one batch together with its name, and returns their names. The name is unique: of two
 * processes that race, the second one's batch fails as a whole and it then finds the work done. The table is wrangler's, so
 * that `wrangler d1 migrations apply` agrees. `begins` is called before each, unless the database is new. Throws NewerSchema,
 * or what the database throws.
 */
export async function migrate(db: Db, begins: (name: string) => void = () => {}): Promise<string[]> {
  await db.run(
    sql`create table if not exists d1_migrations (
      id integer primary key autoincrement, name text unique, applied_at timestamp default current_timestamp not null)`,
  )
  const applied: string[] = []
  const isNew = (await missingMigrations(db)).length === migrations.length
  for (let pending = await missingMigrations(db); pending.length > 0; pending = await missingMigrations(db)) {
    const [next] = pending
    if (!next) break
    if (!isNew) begins(next.name)
    try {
      await db.batch([
        db.run(sql`insert into d1_migrations (name) values (${next.name})`),
        ...next.statements.map((statement) => db.run(sql.raw(statement))),
      ])
      applied.push(next.name)
    } catch (cause) {
      if ((await missingMigrations(db)).some(({ name }) => name === next.name)) throw cause
    }
  }
  return applied
}

/** The migrations that a database lacks; it must have the table of those that it has. Throws NewerSchema. */
export async function missingMigrations(db: Db) {
  const rows = await db.all<{ name: string }>(sql`select name from d1_migrations`)
  const done = new Set(rows.map(({ name }) => name))
  const unknown = [...done].filter((name) => !migrations.some((migration) => migration.name === name))
  if (unknown.length > 0) throw new NewerSchema(unknown)
  return migrations.filter(({ name }) => !done.has(name))
}
