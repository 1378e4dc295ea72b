/** Backends that administrators add, change and remove beside those of the configuration file. */
import { eq } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { storedBackends } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import type { Clock, Db, HostLookup } from '../ports.ts'
import { problem } from '../problems.ts'
import type { SecretBox } from '../secrets/box.ts'
import type { Backend } from '../settings.ts'
import type { Fleet, GivenSettings, ParsedBackend } from './fleet.ts'
import { assertNoMetadata } from './metadata-address.ts'
import {
  encryptedSecrets,
  openSettings,
  type StoredBackend,
  secretsOf,
  storedBackendOf,
  unchanged,
} from './stored.ts'
import { secretsSet } from './view.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
  /** Absent without secrets.key. */
  secrets: SecretBox | undefined
  fleet: Pick<Fleet, 'fileNames' | 'parse'>
  lookup?: HostLookup
}

/**
 * Stores a backend; `given`: as in the configuration file. Returns what is stored. Throws a Refusal: invalid_input; conflict for
 * a name that is taken, or where nothing can be encrypted.
 */
export async function addBackend(parts: Parts, given: GivenSettings): Promise<Backend> {
  const { db, clock, actor, fleet } = parts
  const parsed = fleet.parse(given)
  await assertNoMetadata(parsed.addresses, parts.lookup)
  const { name } = parsed.backend
  if (fleet.fileNames.has(name)) {
    throw taken(`The configuration file has a backend ${name}. Choose another name.`)
  }
  const now = clock.now()
  const row = { ...(await rowOf(parts, parsed)), updatedAt: now, updatedBy: actor.id }
  const [inserted] = await db.batch([
    db
      .insert(storedBackends)
      .values({ name, ...row })
      .onConflictDoNothing()
      .returning({ name: storedBackends.name }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'backend.create',
      target: `backend:${name}`,
      after: { settings: parsed.open, secrets: secretsSet(parsed.backend) },
    }),
  ])
  if (inserted.length === 0) throw taken(`There is a backend ${name} already. Choose another name.`)
  return parsed.backend
}

/**
 * What a stored backend would be with a change; null takes a setting away, others stay. What decides where secrets go is
 * changed only together with all of them, because they would otherwise be given away. Throws a Refusal: not_found;
 * invalid_input.
 */
export async function withChange(
  parts: Pick<Parts, 'db' | 'secrets' | 'fleet' | 'lookup'>,
  name: string,
  change: GivenSettings,
): Promise<{ row: StoredBackend; parsed: ParsedBackend; given: string[] }> {
  const { db, fleet, lookup } = parts
  const row = await storedBackendOf(db, name)
  if (!row) throw nothingHere()
  const known = { ...openSettings(row), ...(await secretsOf(parts.secrets, row)) }
  const parsed = fleet.parse(patched(known, change))
  if (parsed.backend.name !== name) {
    throw invalidField('name', problem('backend_name'))
  }
  await assertNoMetadata(parsed.addresses, lookup)
  const given = secretsSet(parsed.backend).filter((secret) => Object.hasOwn(change, secret))
  if (parsed.destination !== destinationOf(fleet, known)) assertAllSecrets(parsed, given)
  return { row, parsed, given }
}

/**
 * Stores what `withChange` makes, and returns it. Throws a Refusal as it does, and conflict if somebody else changed it
 * meanwhile, or where nothing can be encrypted.
 */
export async function changeStoredBackend(
  parts: Parts,
  name: string,
  change: GivenSettings,
): Promise<Backend> {
  const { db, clock, actor } = parts
  const { row, parsed, given } = await withChange(parts, name, change)
  const now = clock.now()
  const next = { ...(await rowOf(parts, parsed)), updatedAt: now, updatedBy: actor.id }
  const settings = changeOf({ settings: openSettings(row) }, { settings: parsed.open })
  const [updated] = await db.batch([
    db.update(storedBackends).set(next).where(unchanged(row)).returning({ name: storedBackends.name }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'backend.update',
      target: `backend:${name}`,
      before: settings.before,
      after: { ...settings.after, ...(given.length > 0 && { secrets_changed: given }) },
    }),
  ])
  if (updated.length === 0) throw taken(`Somebody else just changed ${name}. Look at it again.`)
  return parsed.backend
}

/** Calls in flight go on to their end. Throws a Refusal not_found. */
export async function removeBackend({ db, clock, actor }: Parts, name: string): Promise<void> {
  const row = await storedBackendOf(db, name)
  if (!row) throw nothingHere()
  const [removed] = await db.batch([
    db.delete(storedBackends).where(eq(storedBackends.name, name)).returning({ name: storedBackends.name }),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'backend.delete',
      target: `backend:${name}`,
      before: { settings: openSettings(row) },
    }),
  ])
  if (removed.length === 0) throw nothingHere()
}

/** `change` over `known`: null takes a setting away. */
function patched(known: GivenSettings, change: GivenSettings): GivenSettings {
  return Object.fromEntries(Object.entries({ ...known, ...change }).filter(([, value]) => value !== null))
}

/** Where the secrets of these settings go; undefined where they are not valid any more. */
function destinationOf(fleet: Parts['fleet'], known: GivenSettings): string | undefined {
  try {
    return fleet.parse(known).destination
  } catch (thrown) {
    if (thrown instanceof Refusal) return undefined
    throw thrown
  }
}

function assertAllSecrets({ backend }: ParsedBackend, given: readonly string[]): void {
  const missing = secretsSet(backend).filter((secret) => !given.includes(secret))
  if (missing.length === 0) return
  const again = problem('secret_again')
  throw new Refusal('invalid_input', `${missing.join(', ')}: ${again.message}`, {
    fields: Object.fromEntries(missing.map((secret) => [secret, again])),
  })
}

/** Throws a Refusal conflict where nothing can be encrypted. */
async function rowOf({ secrets: box }: Pick<Parts, 'secrets'>, { backend, open, secrets }: ParsedBackend) {
  if (!box) {
    const message =
      'Set secrets.key in the configuration first: it encrypts the secrets of backends that are added here.'
    throw taken(message)
  }
  return {
    settings: JSON.stringify(open),
    secrets: await encryptedSecrets(box, backend.name, secrets),
  }
}

function taken(message: string): Refusal {
  return new Refusal('conflict', message)
}
