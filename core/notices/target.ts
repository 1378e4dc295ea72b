/** The address and the secret of a channel, as they are stored. */
import { and, eq } from 'drizzle-orm'
import * as z from 'zod'
import { noticeChannels } from '../db/schema.ts'
import type { ChannelTarget, Db } from '../ports.ts'
import { type Problem, problem } from '../problems.ts'
import type { SecretBox } from '../secrets/box.ts'

const Target = z.object({ url: z.string(), secret: z.string().optional() })
const PURPOSE = 'notice channel'
const SHORTEST_WEBHOOK_SECRET = 16

export function encryptedTarget(
  secrets: SecretBox,
  { url, secret }: Pick<ChannelTarget, 'url' | 'secret'>,
): Promise<string> {
  return secrets.seal(JSON.stringify({ url, secret }), PURPOSE)
}

/** Throws an Error that may be shown if the key is gone. */
async function openTarget(
  secrets: SecretBox | undefined,
  text: string,
): Promise<Pick<ChannelTarget, 'url' | 'secret'>> {
  const opened = await secrets?.open(text, PURPOSE)
  if (opened === undefined) {
    throw new Error('its address was encrypted with a secrets.key that is gone; enter it again')
  }
  const { url, secret } = Target.parse(JSON.parse(opened))
  return { url, secret }
}

/** Where messages to a channel go. Throws an Error that may be shown. Seals it again if a newer key is there. */
export async function channelTarget(
  { db, secrets }: { db: Db; secrets: SecretBox | undefined },
  { id, kind, language, target: text }: typeof noticeChannels.$inferSelect,
): Promise<ChannelTarget> {
  const target = await openTarget(secrets, text)
  if (await secrets?.isStale(text)) {
    const again = secrets && (await encryptedTarget(secrets, target))
    const isSame = and(eq(noticeChannels.id, id), eq(noticeChannels.target, text))
    if (again) await db.update(noticeChannels).set({ target: again }).where(isSame)
  }
  return { kind, language, ...target }
}

/** Encrypts what an older secrets.key did. Returns how many channels it was. */
export async function renewTargets(parts: { db: Db; secrets: SecretBox | undefined }): Promise<number> {
  let renewed = 0
  for (const channel of await parts.db.select().from(noticeChannels)) {
    if (!(await parts.secrets?.isStale(channel.target))) continue
    // One whose key is gone stays as it is: its next message says so.
    const found = await channelTarget(parts, channel).catch(() => undefined)
    if (found) renewed++
  }
  return renewed
}

/** What is wrong with the secret of a channel of this kind; undefined if nothing is. */
export function problemOfSecret(
  kind: ChannelTarget['kind'],
  secret: string | undefined,
): Problem | undefined {
  if (kind === 'webhook') {
    const isLong = secret !== undefined && secret.length >= SHORTEST_WEBHOOK_SECRET
    return isLong ? undefined : problem('short_secret', { n: SHORTEST_WEBHOOK_SECRET })
  }
  const isSigned = kind === 'feishu' || kind === 'dingtalk'
  return !isSigned && secret !== undefined ? problem('no_secret', { kind }) : undefined
}
