/** From a stored notice to the message that is sent. */
import type { notices } from '../db/schema.ts'
import { parsedJson } from '../json/parse.ts'
import { keyEnding, limitReached } from './about-limits.ts'
import {
  backendBack,
  backendOut,
  creditUsedUp,
  deviceCopied,
  identityJoined,
  modelRetiring,
  peoplePaused,
} from './about-operations.ts'
import { applicationDecided, applicationMade, increaseDecided, increaseMade } from './about-requests.ts'
import type { Draft, DraftParts } from './drafts.ts'
import { NOTICE_EVENT_NAMES, type NoticeData, type NoticeEvent } from './events.ts'
import { type Message, oneLine } from './message.ts'

type MaybeDraft = Draft | undefined | Promise<Draft | undefined>

const DRAFTS: { [E in NoticeEvent]: (parts: DraftParts, data: NoticeData[E]) => MaybeDraft } = {
  'application.made': applicationMade,
  'application.decided': applicationDecided,
  'increase.made': increaseMade,
  'increase.decided': increaseDecided,
  'limit.reached': limitReached,
  'key.ending': keyEnding,
  'backend.out': (_, data) => backendOut(data),
  'backend.back': (_, data) => backendBack(data),
  'credit.used_up': (_, data) => creditUsedUp(data),
  'model.retiring': modelRetiring,
  'people.paused': (_, data) => peoplePaused(data),
  'identity.joined': identityJoined,
  'device.copied': deviceCopied,
}

type NoticeRow = typeof notices.$inferSelect
/** A stored notice, as its event says what its data is. */
type Known = { [E in NoticeEvent]: { event: E; data: NoticeData[E] } }[NoticeEvent]

/** Undefined for an event of another release. */
export function knownNotice({ event, data }: Pick<NoticeRow, 'event' | 'data'>): Known | undefined {
  const name = NOTICE_EVENT_NAMES.find((known) => known === event)
  // The cast holds because core/notices/outbox.ts writes rows of this type only.
  return name && ({ event: name, data: parsedJson(data) } as Known)
}

/** Undefined where there is nothing to tell any more. */
export async function messageOf(parts: DraftParts, row: NoticeRow): Promise<Message | undefined> {
  const known = knownNotice(row)
  // The cast holds because both are of one event.
  const draft =
    known && (await (DRAFTS[known.event] as (of: DraftParts, data: unknown) => MaybeDraft)(parts, known.data))
  if (!known || !draft) return undefined
  const { link, title, ...rest } = draft
  return {
    id: String(row.id),
    event: known.event,
    at: row.createdAt,
    ...rest,
    title: { en: oneLine(title.en), zh: oneLine(title.zh) },
    link: linkOf(parts, link),
  }
}

export function testMessage(parts: Pick<DraftParts, 'settings'>, channel: string, at: number): Message {
  return {
    id: 'test',
    event: 'test',
    at,
    tone: 'info',
    title: {
      en: `Messages of Claude Gateway reach ${oneLine(channel)}`,
      zh: `Claude Gateway 的消息可以送达 ${oneLine(channel)}`,
    },
    facts: [],
    link: linkOf(parts, { label: { en: 'Open the gateway', zh: '打开网关' }, path: '/' }),
    data: {},
  }
}

function linkOf({ settings }: Pick<DraftParts, 'settings'>, link: Draft['link']): Message['link'] {
  return link && settings.publicUrl !== ''
    ? { label: link.label, url: `${settings.publicUrl}${link.path}` }
    : undefined
}
