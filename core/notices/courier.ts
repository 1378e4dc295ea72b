/** Sends what waits in the outbox: to so many recipients at once, one message after the other to each. */
import { eq } from 'drizzle-orm'
import { noticeChannels, notices, users } from '../db/schema.ts'
import type { Mailer } from '../ports.ts'
import type { Settings } from '../settings.ts'
import { untiring } from '../untiring.ts'
import { mailTo, noticesTo } from '../users/address.ts'
import { createAuditFeed, type FeedParts } from './audit-feed.ts'
import { messageOf } from './compose.ts'
import {
  addressWaiting,
  CLAIM_MS,
  claimDelivery,
  type Delivery,
  deliveryFailed,
  deliveryOver,
  type RecipientKind,
} from './deliveries.ts'
import { noticeMail } from './mail.ts'
import { type Message, MessageRefused } from './message.ts'
import { channelTarget } from './target.ts'

/**
 * So many recipients of each kind at once, so that a slow one holds one place only, and mails to thousands of people keep nothing
 * from the channels.
 */
const MOST_AT_ONCE = 8

/** They go to the account's own address, because whoever took a session over could otherwise lead the warning away. */
const ABOUT_SIGNING_IN: ReadonlySet<string> = new Set(['identity.joined', 'device.copied'])

export interface CourierParts extends FeedParts {
  settings: Pick<Settings, 'publicUrl' | 'auth'>
  mailer: Mailer
}

export interface Courier {
  /** Begins to send what is due, and returns before it is sent; the runtime is kept alive until then. */
  run(): Promise<void>
}

export function createCourier(parts: CourierParts): Courier {
  const { db, clock, logger, mailer, waitUntil, accepting } = parts
  /** Ids of what this process is sending to recipients of each kind, and since when. */
  const underWay = { channel: new Map<number, number>(), user: new Map<number, number>() }
  const sendAudit = createAuditFeed(parts)

  async function deliver(delivery: Delivery) {
    let isSent: boolean
    try {
      const [notice] = await db.select().from(notices).where(eq(notices.id, delivery.noticeId))
      const message = notice && (await messageOf(parts, notice))
      isSent = message !== undefined && (await send(parts, delivery.recipient, message))
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause)
      const { recipient, attempts } = delivery
      const isRefused = cause instanceof MessageRefused
      const goesOn = await deliveryFailed(db, delivery, { now: clock.now(), problem, isRefused })
      logger.warn(goesOn ? 'notice.not_delivered' : 'notice.given_up', {
        recipient,
        attempts,
        cause: problem,
      })
      return
    }
    // What is not known to be sent is sent again.
    await untiring(parts, () => deliveryOver(db, delivery, { now: clock.now(), isSent }))
  }
  /** Sends what is due until nothing is; each that ends makes room for the next. */
  async function pump(kind: RecipientKind): Promise<void> {
    const sending = underWay[kind]
    while (hasRoom(sending) && accepting()) {
      const delivery = await claimDelivery(db, kind, clock.now())
      if (!delivery) return
      sending.set(delivery.id, clock.elapsed())
      const work = deliver(delivery).finally(() => sending.delete(delivery.id))
      const next = work.then(() => pump(kind))
      waitUntil(next.catch((cause) => logger.error('notice.failed', { cause: String(cause) })))
    }
  }
  function hasRoom(sending: Map<number, number>): boolean {
    const now = clock.elapsed()
    // On Workers the end of a request may end what it began, without a word.
    for (const [id, since] of sending) if (now - since > CLAIM_MS) sending.delete(id)
    return sending.size < MOST_AT_ONCE
  }
  return {
    async run() {
      await addressWaiting(db, clock.now(), mailer.delivers)
      await sendAudit()
      await pump('channel')
      await pump('user')
    },
  }
}

/** False if the recipient is gone. */
async function send(parts: CourierParts, recipient: string, message: Message): Promise<boolean> {
  const [kind, idText] = recipient.split(':')
  const id = Number(idText)
  return kind === 'channel' ? toChannel(parts, id, message) : toPerson(parts, id, message)
}

async function toChannel(parts: CourierParts, id: number, message: Message): Promise<boolean> {
  const [channel] = await parts.db.select().from(noticeChannels).where(eq(noticeChannels.id, id))
  if (!channel?.enabled) return false
  await parts.notifier.send(await channelTarget(parts, channel), message)
  return true
}

async function toPerson(
  { db, mailer, settings }: CourierParts,
  id: number,
  message: Message,
): Promise<boolean> {
  const [user] = await db.select().from(users).where(eq(users.id, id))
  if (user?.status !== 'active' || user.deletedAt !== null) return false
  const to = ABOUT_SIGNING_IN.has(message.event)
    ? mailTo(user, settings.auth)
    : noticesTo(user, settings.auth)
  if (!to.includes('@')) return false
  await mailer.send(noticeMail(message, to))
  return true
}
