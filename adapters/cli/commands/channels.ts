/** Commands about channels: webhooks and group chats that are told of events. */
import { readFileSync } from 'node:fs'
import * as z from 'zod'
import type { Config } from '../../../config/schema.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { createChannel, deleteChannel, listChannels, testChannel } from '../../../core/notices/channels.ts'
import { CHANNEL_EVENTS, type ChannelEvent } from '../../../core/notices/events.ts'
import { LANGUAGES } from '../../../core/notices/message.ts'
import type { Db } from '../../../core/ports.ts'
import { createSecretBox } from '../../../core/secrets/box.ts'
import { notifierFrom } from '../../shared/notifier.ts'
import { choice, command, type Option, titleIn } from '../command.ts'
import { dayOf, idIn } from './find.ts'

const KINDS = ['webhook', 'slack', 'feishu', 'dingtalk', 'wecom'] as const

const events: Option<ChannelEvent[]> = {
  value: 'EVENT,…',
  about: 'what it is told of; all but audit if left out',
  schema: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(z.array(z.enum(CHANNEL_EVENTS, `${CHANNEL_EVENTS.join(', ')} are expected.`))),
}

export const CHANNELS = [
  command({
    name: 'channel list',
    about: 'lists the webhooks and group chats that are told of events',
    async run({ db }) {
      const rows = (await listChannels(db)).map((channel) => ({
        id: channel.id,
        kind: channel.kind,
        name: channel.name,
        host: channel.host,
        enabled: channel.enabled,
        failing_since: dayOf(channel.failingSince),
        last_error: channel.lastError,
        events: channel.events,
      }))
      return {
        rows,
        columns: ['id', 'kind', 'name', 'host', 'enabled', 'failing_since', 'last_error', 'events'],
        none: 'There are no channels yet. Make one with: channel create',
        wide: ['events'],
      }
    },
  }),
  command({
    name: 'channel create',
    args: ['KIND', 'NAME'],
    about: `makes a channel of the kind ${KINDS.join(', ')}. Standard input has its address, and its secret on a second line, so that no list of processes shows them`,
    options: { events, language: choice(LANGUAGES, 'in which it is told; en if left out') },
    async run({ db, config, args: [kindText = '', wanted], options }) {
      const name = titleIn(wanted)
      const kind = KINDS.find((one) => one === kindText)
      if (!kind) throw new Refusal('body_invalid', `KIND: ${KINDS.join(', ')} is expected.`)
      const [url = '', secret] = readFileSync(0, 'utf8')
        .split('\n')
        .map((text) => text.trim())
      const channel = await createChannel(partsOf(config, db), {
        kind,
        name,
        enabled: true,
        language: options.language ?? 'en',
        target: { url, secret: secret || undefined },
        events: options.events ?? CHANNEL_EVENTS.filter((event) => event !== 'audit'),
      })
      const { id, host } = channel
      return { said: `The channel ${name} at ${host} has the id ${id}.`, fields: { id, kind, name, host } }
    },
  }),
  command({
    name: 'channel test',
    args: ['ID'],
    about: 'sends a message to try a channel out',
    async run({ db, config, args: [id = ''] }) {
      const error = await testChannel(partsOf(config, db), idIn(id, 'channel'))
      if (error !== undefined) throw new Refusal('conflict', `It was not taken: ${error}.`)
      return { said: 'It was taken.', fields: { delivered: true } }
    },
  }),
  command({
    name: 'channel delete',
    args: ['ID'],
    about: 'removes a channel; what waits for it is not sent',
    async run({ db, config, args: [id = ''] }) {
      const channel = idIn(id, 'channel')
      await deleteChannel(partsOf(config, db), channel)
      return { said: `The channel ${channel} is deleted.`, fields: { id: channel } }
    },
  }),
]

function partsOf(config: Config, db: Db) {
  const settings = settingsFrom(config)
  return {
    db,
    clock: systemClock,
    actor: COMMAND_LINE,
    settings,
    secrets: settings.secretKeys && createSecretBox(settings.secretKeys),
    notifier: notifierFrom(config, systemClock),
  }
}
