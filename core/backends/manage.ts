/** What administrators do with backends that are in force. What is changed here holds until restart or reload. */
import { type Actor, auditRow } from '../audit/record.ts'
import { nothingHere } from '../errors.ts'
import type { Catalogue } from '../models/catalogue.ts'
import type { Clock, Db, HostLookup } from '../ports.ts'
import { GATEWAY_ID } from '../reports/gateway-calls.ts'
import type { SecretBox } from '../secrets/box.ts'
import type { Balancer } from './balancer.ts'
import type { CheckParts } from './check.ts'
import type { Fleet, GivenSettings, ParsedBackend } from './fleet.ts'
import { withChange } from './manage-stored.ts'
import { assertNoMetadata } from './metadata-address.ts'
import { type BookParts, bookOwnCall, type OwnCall } from './own-call.ts'
import { type Step, tryOut } from './try-out.ts'
import type { BackendStatus } from './view.ts'

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
  balancer: Pick<Balancer, 'views' | 'adjust'>
}

/** Throws a Refusal not_found. */
function describedBackend({ balancer }: Pick<Parts, 'balancer'>, name: string): BackendStatus {
  const view = balancer.views().find(({ backend }) => backend.name === name)
  if (!view) throw nothingHere()
  return view
}

/** Switches a backend on or off, or changes its weight; 0 drains it. Throws a Refusal not_found. */
export async function changeBackend(
  parts: Parts,
  name: string,
  change: { enabled?: boolean | undefined; weight?: number | undefined },
): Promise<BackendStatus> {
  const { db, clock, actor, balancer } = parts
  const { enabled, weight } = describedBackend(parts, name).backend
  // The row first: a change lives in this process alone, and none is made that cannot be told.
  await auditRow(db, {
    actor,
    at: clock.now(),
    action: 'backend.update',
    target: `backend:${name}`,
    before: { enabled, weight },
    after: { enabled: change.enabled ?? enabled, weight: change.weight ?? weight },
  })
  balancer.adjust(name, change)
  return describedBackend(parts, name)
}

/** Asks a backend for its models now. One that answers gets a call at once. Throws a Refusal not_found. */
export async function checkBackend(
  parts: Parts & { catalogue: Pick<Catalogue, 'check'> },
  name: string,
): Promise<BackendStatus> {
  const { db, clock, actor, catalogue } = parts
  const { backend } = describedBackend(parts, name)
  await auditRow(db, { actor, at: clock.now(), action: 'backend.check', target: `backend:${name}` })
  await catalogue.check(backend)
  return describedBackend(parts, name)
}

/** Tries a backend step by step. Throws a Refusal not_found. */
export async function tryBackend(parts: Parts & CheckParts & BookParts, name: string): Promise<Step[]> {
  const { db, clock, actor } = parts
  const { backend } = describedBackend(parts, name)
  await auditRow(db, { actor, at: clock.now(), action: 'backend.test', target: `backend:${name}` })
  return tryOut({ ...parts, book: bookedTo(parts) }, backend)
}

type TryingParts = Omit<Parts, 'balancer'> &
  CheckParts &
  BookParts & { fleet: Pick<Fleet, 'fileNames' | 'parse'>; lookup?: HostLookup }

/** The same with settings that are not stored. Throws a Refusal invalid_input. */
export async function trySettings(parts: TryingParts, given: GivenSettings): Promise<Step[]> {
  const parsed = parts.fleet.parse(given)
  await assertNoMetadata(parsed.addresses, parts.lookup)
  return tryParsed(parts, parsed)
}

/** The same with a change of a stored backend that is not made. Throws a Refusal as `withChange`. */
export async function tryChange(
  parts: TryingParts & { secrets: SecretBox | undefined },
  name: string,
  change: GivenSettings,
): Promise<Step[]> {
  const { parsed } = await withChange(parts, name, change)
  return tryParsed(parts, parsed)
}

async function tryParsed(parts: TryingParts, { backend, credentialsOf }: ParsedBackend): Promise<Step[]> {
  const { db, clock, actor } = parts
  await auditRow(db, { actor, at: clock.now(), action: 'backend.test', target: `backend:${backend.name}` })
  return tryOut({ ...parts, credentialsOf, book: bookedTo(parts) }, backend)
}

/** Books to whoever tries: a test of somebody's costs what it costs. */
function bookedTo(parts: BookParts & Pick<Parts, 'actor'>) {
  return (call: OwnCall) => bookOwnCall(parts, call, parts.actor.id ?? GATEWAY_ID)
}
