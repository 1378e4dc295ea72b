/** A program asks to be let in, and a person allows or denies it: RFC 8628, the device authorization grant. */
import { and, count, eq, gt, lt, sql } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { deviceGrants } from '../db/schema.ts'
import { Refusal } from '../errors.ts'
import { randomText } from '../ids.ts'
import { ALPHABET, type Sha256 } from '../keys/mint.ts'
import type { Clock, Db } from '../ports.ts'
import { storable } from '../text.ts'
import { hasRoomForDevice, MOST_DEVICES } from './most-devices.ts'

/** How long a code is good for, and how often its program may ask. */
const GRANT_MS = 600_000
const INTERVAL_MS = 5_000
/** 52 of 62 letters and digits: over 256 bits. */
const DEVICE_CODE_LENGTH = 52
/** Without vowels no words appear: https://www.rfc-editor.org/rfc/rfc8628#section-6.1 */
const USER_CODE_LETTERS = 'BCDFGHJKLMNPQRSTVWXZ'
const USER_CODE_LENGTH = 8
/** Open grants of one address: a whole company may sign in behind one router on one day. */
const MOST_OPEN = 600
/** From here on each new grant of an address waits a little, so that a flood is slow. */
const FREE_OPEN = 30
const SLOWEST_MS = 5_000

export type DeviceGrant = typeof deviceGrants.$inferSelect

interface Parts {
  db: Db
  clock: Clock
}

export interface Asked {
  deviceCode: string
  /** e.g. WDJB-MJHT */
  userCode: string
  expiresInMs: number
  intervalMs: number
  /** How long the answer should wait, in ms. */
  delayMs: number
}

/** Throws a Refusal too_many_attempts for an address with too many open grants. */
export async function askForGrant(
  { db, clock, sha256 }: Parts & { sha256: Sha256 },
  { client, ip }: { client: string; ip: string },
): Promise<Asked> {
  const now = clock.now()
  const isOpen = and(
    eq(deviceGrants.ip, ip),
    gt(deviceGrants.createdAt, now - GRANT_MS),
    eq(deviceGrants.status, 'pending'),
  )
  const [counted] = await db.select({ open: count() }).from(deviceGrants).where(isOpen)
  const open = counted?.open ?? 0
  const deviceCode = randomText(DEVICE_CODE_LENGTH, ALPHABET)
  const userCode = randomText(USER_CODE_LENGTH, USER_CODE_LETTERS)
  const name = storable(client.slice(0, 100))
  // Counted in the statement that adds one, so that parallel requests cannot pass the limit together.
  const added = await db.all<{ id: number }>(sql`insert into device_grants
    (device_code_hash, user_code, client, ip, status, interval_ms, created_at, expires_at)
    select ${sha256(deviceCode)}, ${userCode}, ${name}, ${ip}, 'pending', ${INTERVAL_MS}, ${now}, ${now + GRANT_MS}
    where (select count(*) from device_grants where ${isOpen}) < ${MOST_OPEN} returning id`)
  if (added.length === 0) {
    throw new Refusal('too_many_attempts', 'Too many programs wait to be let in from this address.', {
      retryAfterMs: INTERVAL_MS,
    })
  }
  const delayMs = open < FREE_OPEN ? 0 : Math.min(SLOWEST_MS, 1_000 + (open - FREE_OPEN) * 20)
  const shown = `${userCode.slice(0, USER_CODE_LENGTH / 2)}-${userCode.slice(USER_CODE_LENGTH / 2)}`
  return { deviceCode, userCode: shown, expiresInMs: GRANT_MS, intervalMs: INTERVAL_MS, delayMs }
}

/** The code as it is stored: what people type between letters is taken away. */
function userCodeOf(typed: string): string {
  return typed.replace(/[^A-Za-z]/g, '').toUpperCase()
}

/** The grant that a person is asked about; undefined for a code that is wrong, decided or too old. */
export async function openGrant({ db, clock }: Parts, userCode: string): Promise<DeviceGrant | undefined> {
  const [found] = await db.select().from(deviceGrants).where(isOpenGrant(userCode, clock.now()))
  return found
}

function isOpenGrant(userCode: string, now: number) {
  return and(
    eq(deviceGrants.userCode, userCodeOf(userCode)),
    eq(deviceGrants.status, 'pending'),
    gt(deviceGrants.expiresAt, now),
  )
}

/**
 * A person allows or denies. False where the code is wrong, decided or too old. Throws a Refusal conflict for who has as many
 * devices as they may have, because their program would only hear that its code is too old.
 */
export async function decideGrant(
  { db, clock, actor }: Parts & { actor: Actor & { id: number } },
  userCode: string,
  decision: 'approved' | 'denied',
): Promise<boolean> {
  const now = clock.now()
  const hasRoom = decision === 'approved' ? hasRoomForDevice(actor.id) : undefined
  const [decided] = await db.batch([
    db
      .update(deviceGrants)
      .set({ status: decision, userId: actor.id })
      .where(and(isOpenGrant(userCode, now), hasRoom))
      .returning({ id: deviceGrants.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: decision === 'approved' ? 'device.approve' : 'device.deny',
      target: `user:${actor.id}`,
    }),
  ])
  if (decided.length > 0) return true
  if (!hasRoom || !(await openGrant({ db, clock }, userCode))) return false
  throw new Refusal('conflict', `You have ${MOST_DEVICES} devices already. Sign one of them out first.`)
}

export type Poll =
  | { kind: 'approved'; grant: DeviceGrant & { userId: number } }
  | { kind: 'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token' }

/** What the program is told when it asks with its code. Whoever is told `approved` has to use the grant up. */
export async function poll(
  { db, clock, sha256 }: Parts & { sha256: Sha256 },
  deviceCode: string,
): Promise<Poll> {
  const now = clock.now()
  const isIt = eq(deviceGrants.deviceCodeHash, sha256(deviceCode))
  const [grant] = await db.select().from(deviceGrants).where(isIt)
  if (!grant || grant.status === 'used' || grant.expiresAt <= now) return { kind: 'expired_token' }
  if (grant.status === 'denied') return { kind: 'access_denied' }
  const sinceMs = now - (grant.askedAt ?? 0)
  // A process whose clock is ahead may have heard it last.
  const isTooSoon = sinceMs >= 0 && sinceMs < grant.intervalMs - SLACK_MS
  const intervalMs = isTooSoon ? sql`${deviceGrants.intervalMs} + ${INTERVAL_MS}` : grant.intervalMs
  await db.update(deviceGrants).set({ askedAt: now, intervalMs }).where(isIt)
  if (isTooSoon) return { kind: 'slow_down' }
  const { userId } = grant
  if (grant.status === 'pending' || userId === null) return { kind: 'authorization_pending' }
  return { kind: 'approved', grant: { ...grant, userId } }
}

/** Clocks of machines and networks are no better than this. */
const SLACK_MS = 500

/** Deletes grants that are over. */
export async function sweepGrants(db: Db, now: number): Promise<void> {
  await db.delete(deviceGrants).where(lt(deviceGrants.expiresAt, now - GRANT_MS))
}
