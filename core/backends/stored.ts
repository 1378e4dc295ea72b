/** Backends in the database, with the settings that may hold secrets sealed. */
import { and, asc, eq } from 'drizzle-orm'
import * as z from 'zod'
import { backendRevision, storedBackends } from '../db/schema.ts'
import { parsedJson } from '../json/parse.ts'
import type { Db } from '../ports.ts'
import type { SecretBox } from '../secrets/box.ts'
import type { GivenSettings } from './fleet.ts'

export type StoredBackend = typeof storedBackends.$inferSelect

const Settings = z.record(z.string(), z.unknown())

/** The number that each change of a stored backend raises. */
export async function readBackendRevision(db: Db): Promise<number> {
  const [row] = await db.select({ revision: backendRevision.revision }).from(backendRevision)
  return row?.revision ?? 0
}

/** All stored backends, in the order of their names. */
export function readStoredBackends(db: Db): Promise<StoredBackend[]> {
  return db.select().from(storedBackends).orderBy(asc(storedBackends.name))
}

export async function storedBackendOf(db: Db, name: string): Promise<StoredBackend | undefined> {
  const [row] = await db.select().from(storedBackends).where(eq(storedBackends.name, name))
  return row
}

/** The settings that hold no secret; empty where they cannot be read any more. */
export function openSettings({ settings }: StoredBackend): GivenSettings {
  return Settings.safeParse(parsedJson(settings)).data ?? {}
}

export function encryptedSecrets(box: SecretBox, name: string, secrets: GivenSettings): Promise<string> {
  return box.seal(JSON.stringify(secrets), purposeOf(name))
}

/** The settings that may hold secrets; undefined if the key that sealed them is gone. */
export async function secretsOf(
  box: SecretBox | undefined,
  { name, secrets }: StoredBackend,
): Promise<GivenSettings | undefined> {
  return Settings.safeParse(parsedJson(await box?.open(secrets, purposeOf(name)))).data
}

/** For a batch and its conditions: the row, as long as nobody changed it since it was read. */
export function unchanged({ name, settings, secrets }: StoredBackend) {
  // Secrets are sealed anew by every change, so that their text is a version.
  return and(
    eq(storedBackends.name, name),
    eq(storedBackends.settings, settings),
    eq(storedBackends.secrets, secrets),
  )
}

/** Encrypts what an older secrets.key did. Returns how many backends it was. */
export async function renewBackendSecrets(parts: {
  db: Db
  secrets: SecretBox | undefined
}): Promise<number> {
  const { db, secrets: box } = parts
  let renewed = 0
  for (const row of await readStoredBackends(db)) {
    if (!box || !(await box.isStale(row.secrets))) continue
    const found = await secretsOf(box, row)
    // One whose key is gone stays as it is: the list of backends says so.
    if (!found) continue
    const secrets = await encryptedSecrets(box, row.name, found)
    await db.update(storedBackends).set({ secrets }).where(unchanged(row))
    renewed++
  }
  return renewed
}

function purposeOf(name: string): string {
  return `backend:${name}`
}
