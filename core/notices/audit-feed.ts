/**
 * Sends every event of the audit to the webhooks that take it, in order and at least once: a batch at a time, and the next only
 * when the receiver took it. One process sends to a channel at a time.
 */
import { and, eq, gt, isNotNull, lte } from 'drizzle-orm'
import { auditAfter, auditView, NEWEST_AUDIT_ID } from '../audit/list.ts'
import { noticeChannels } from '../db/schema.ts'
import type { Clock, Db, Logger, Notifier } from '../ports.ts'
import type { SecretBox } from '../secrets/box.ts'
import { CLAIM_MS, channelFails, channelWorks, retryAfter } from './deliveries.ts'
import { channelTarget } from './target.ts'

const BATCH = 100

type Channel = typeof noticeChannels.$inferSelect

export interface FeedParts {
  db: Db
  clock: Clock
  logger: Logger
  secrets: SecretBox | undefined
  notifier: Notifier
  waitUntil(work: Promise<unknown>): void
  /** False once this process takes no new work. */
  accepting(): boolean
}

export function createAuditFeed(parts: FeedParts): () => Promise<void> {
  const { db, clock, logger, waitUntil, accepting } = parts
  const failed = (cause: unknown) => logger.error('notice.failed', { cause: String(cause) })

  async function feed(id: number): Promise<void> {
    const channel = await claim(id)
    if (channel) await sendFrom(channel)
  }
  async function claim(id: number): Promise<Channel | undefined> {
    const now = clock.now()
    const [claimed] = await db
      .update(noticeChannels)
      .set({ auditWaitsUntil: now + CLAIM_MS })
      .where(and(eq(noticeChannels.id, id), isDue(now)))
      .returning()
    return claimed
  }
  async function sendFrom(channel: Channel): Promise<void> {
    const { id, auditSentId: sent } = channel
    const recipient = `channel:${id}`
    try {
      const events = sent === null ? [] : await auditAfter(db, sent, BATCH)
      const last = events.at(-1)
      if (last) {
        const target = await channelTarget(parts, channel)
        await parts.notifier.sendAudit(target, `audit-${last.id}`, events.map(auditView))
      }
      const isMore = events.length === BATCH
      await db.batch([
        db
          .update(noticeChannels)
          .set({ auditSentId: last?.id ?? sent, auditWaitsUntil: 0, auditFailures: 0 })
          .where(
            and(eq(noticeChannels.id, id), sent === null ? undefined : eq(noticeChannels.auditSentId, sent)),
          ),
        channelWorks(db, recipient),
      ])
      if (isMore && accepting()) await feed(id)
    } catch (cause) {
      const problem = cause instanceof Error ? cause.message : String(cause)
      const now = clock.now()
      const failures = channel.auditFailures + 1
      await db.batch([
        db
          .update(noticeChannels)
          .set({ auditWaitsUntil: now + retryAfter(failures), auditFailures: failures })
          .where(eq(noticeChannels.id, id)),
        channelFails(db, recipient, now, problem),
      ])
      logger.warn('notice.not_delivered', { recipient, attempts: failures, cause: problem })
    }
  }
  return async () => {
    const due = await db.select({ id: noticeChannels.id }).from(noticeChannels).where(hasNews(clock.now()))
    for (const { id } of due) waitUntil(feed(id).catch(failed))
  }
}

function isDue(now: number) {
  return and(
    eq(noticeChannels.enabled, true),
    isNotNull(noticeChannels.auditSentId),
    lte(noticeChannels.auditWaitsUntil, now),
  )
}

/** Also whether there is anything to send, so that channels are not claimed for nothing. */
function hasNews(now: number) {
  return and(isDue(now), gt(NEWEST_AUDIT_ID, noticeChannels.auditSentId))
}
