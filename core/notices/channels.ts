/** Channels as administrators set them up. The address and the secret of one are sealed and never shown again. */
import { asc, eq, sql } from 'drizzle-orm'
import { changeOf } from '../audit/change.ts'
import { NEWEST_AUDIT_ID } from '../audit/list.ts'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { noticeChannels } from '../db/schema.ts'
import { invalidField, nothingHere, Refusal } from '../errors.ts'
import type { ChannelTarget, Clock, Db, Notifier } from '../ports.ts'
import { problem } from '../problems.ts'
import type { SecretBox } from '../secrets/box.ts'
import type { Settings } from '../settings.ts'
import { storable } from '../text.ts'
import { problemOfAddress } from './address.ts'
import { testMessage } from './compose.ts'
import { waitingDue } from './deliveries.ts'
import { type ChannelEvent, parseChannelEvents } from './events.ts'
import { channelTarget, encryptedTarget, problemOfSecret } from './target.ts'

type Row = typeof noticeChannels.$inferSelect
type ChannelKind = ChannelTarget['kind']
export interface Channel
  extends Pick<
    Row,
    | 'id'
    | 'kind'
    | 'name'
    | 'host'
    | 'language'
    | 'enabled'
    | 'failingSince'
    | 'lastError'
    | 'createdAt'
    | 'updatedAt'
  > {
  events: readonly ChannelEvent[]
}
type GivenTarget = Pick<ChannelTarget, 'url' | 'secret'>
export interface ChannelChange {
  name?: string | undefined
  /** Whole, because a new address with the old secret would give that away. */
  target?: GivenTarget | undefined
  language?: Row['language'] | undefined
  events?: readonly ChannelEvent[] | undefined
  enabled?: boolean | undefined
}
export interface NewChannel extends Pick<Channel, 'kind' | 'name' | 'language' | 'events' | 'enabled'> {
  target: GivenTarget
}

interface Parts {
  db: Db
  clock: Clock
  actor: Actor
  settings: Pick<Settings, 'notify'>
  secrets: SecretBox | undefined
}

/** Throws a Refusal: invalid_input; conflict where nothing can be sealed. */
export async function createChannel(parts: Parts, wanted: NewChannel): Promise<Channel> {
  const { db, clock, actor } = parts
  const { kind, language, enabled } = wanted
  const now = clock.now()
  const name = storable(wanted.name)
  const events = checkedEvents(kind, wanted.events)
  const { target, host } = await sealed(parts, kind, wanted.target)
  const [inserted] = await db.batch([
    db
      .insert(noticeChannels)
      .values({
        kind,
        name,
        target,
        host,
        language,
        enabled,
        events: JSON.stringify(events),
        auditSentId: events.includes('audit') ? NEWEST_AUDIT_ID : null,
        createdAt: now,
        updatedAt: now,
      })
      .returning({ id: noticeChannels.id }),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'channel.create',
      target: `channel:${name}`,
      after: { channel_kind: kind, name, host, language, events, enabled },
    }),
  ])
  return channelOf(db, inserted[0]?.id ?? 0)
}

/** Throws a Refusal: not_found; invalid_input; conflict where nothing can be sealed. */
export async function updateChannel(parts: Parts, id: number, change: ChannelChange): Promise<Channel> {
  const { db, clock, actor } = parts
  const before = await channelOf(db, id)
  const now = clock.now()
  const events = change.events && checkedEvents(before.kind, change.events)
  const target = change.target && (await sealed(parts, before.kind, change.target))
  const name = change.name === undefined ? undefined : storable(change.name)
  const { language, enabled } = change
  const takesAudit = events?.includes('audit')
  await db.batch([
    db
      .update(noticeChannels)
      .set({
        name,
        language,
        enabled,
        ...target,
        updatedAt: now,
        ...(events && { events: JSON.stringify(events) }),
        // From now on, unless it took them before.
        ...(takesAudit === true && {
          auditSentId: sql`coalesce(${noticeChannels.auditSentId}, ${NEWEST_AUDIT_ID})`,
        }),
        ...(takesAudit === false && { auditSentId: null }),
        // What waits is tried at once.
        ...(target && { failingSince: null, lastError: null, auditWaitsUntil: 0, auditFailures: 0 }),
      })
      .where(eq(noticeChannels.id, id)),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'channel.update',
      target: `channel:${id}`,
      ...changeOf(
        audited(before, false),
        audited({ ...change, name, events, host: target?.host }, target && true),
      ),
    }),
    ...(target ? [waitingDue(db, `channel:${id}`, now)] : []),
  ])
  return channelOf(db, id)
}

/** What waits for the channel is dropped. Throws a Refusal not_found. */
export async function deleteChannel({ db, clock, actor }: Omit<Parts, 'settings' | 'secrets'>, id: number) {
  const { name, kind, host } = await channelOf(db, id)
  const [gone] = await db.batch([
    db.delete(noticeChannels).where(eq(noticeChannels.id, id)).returning({ id: noticeChannels.id }),
    auditIfChanged(db, {
      actor,
      at: clock.now(),
      action: 'channel.delete',
      target: `channel:${id}`,
      before: { name, channel_kind: kind, host },
    }),
  ])
  if (gone.length === 0) throw nothingHere()
}

/** Sends a message to try it out. Why the channel did not take it, undefined if it did. Throws a Refusal not_found. */
export async function testChannel(
  parts: Omit<Parts, 'actor' | 'settings'> & { settings: Pick<Settings, 'publicUrl'>; notifier: Notifier },
  id: number,
): Promise<string | undefined> {
  const { db, clock, notifier } = parts
  const [row] = await db.select().from(noticeChannels).where(eq(noticeChannels.id, id))
  if (!row) throw nothingHere()
  try {
    await notifier.send(await channelTarget(parts, row), testMessage(parts, row.name, clock.now()))
    return undefined
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

/** By id. */
export async function listChannels(db: Db): Promise<Channel[]> {
  const rows = await db.select().from(noticeChannels).orderBy(asc(noticeChannels.id))
  return rows.map(channelFrom)
}

/** Throws a Refusal not_found. */
async function channelOf(db: Db, id: number): Promise<Channel> {
  const [row] = await db.select().from(noticeChannels).where(eq(noticeChannels.id, id))
  if (!row) throw nothingHere()
  return channelFrom(row)
}

function channelFrom({ events, target: _, ...row }: Row): Channel {
  return { ...row, events: parseChannelEvents(events) }
}

function checkedEvents(kind: ChannelKind, events: readonly ChannelEvent[]): ChannelEvent[] {
  if (kind !== 'webhook' && events.includes('audit')) {
    throw invalidField('events', problem('audit_webhook'))
  }
  return [...new Set(events)]
}

async function sealed({ settings, secrets }: Parts, kind: ChannelKind, target: GivenTarget) {
  if (!secrets) {
    const message = 'Set secrets.key in the configuration first: it encrypts the addresses of channels.'
    throw new Refusal('conflict', message)
  }
  const badAddress = problemOfAddress(target.url, settings.notify.allowPrivate)
  if (badAddress !== undefined) throw invalidField('target.url', badAddress)
  const badSecret = problemOfSecret(kind, target.secret)
  if (badSecret !== undefined) throw invalidField('target.secret', badSecret)
  return { target: await encryptedTarget(secrets, target), host: new URL(target.url).host }
}

function audited(change: ChannelChange & { host?: string | undefined }, isSet: boolean | undefined) {
  const { name, host, language, events, enabled } = change
  return { name, host, language, events, enabled, target_set: isSet }
}
