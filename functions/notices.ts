/** Routes for channels, and for which notices people are mailed. */
import * as z from 'zod'
import {
  type Channel,
  createChannel,
  deleteChannel,
  listChannels,
  testChannel,
  updateChannel,
} from '../core/notices/channels.ts'
import { CHANNEL_EVENTS, NOTICE_EVENT_NAMES } from '../core/notices/events.ts'
import { LANGUAGES } from '../core/notices/message.ts'
import {
  chooseDefaults,
  choosePreferences,
  defaultPreferences,
  type Preference,
  preferencesOf,
} from '../core/notices/preferences.ts'
import { timeText } from '../core/units.ts'
import { idOf, line, timestamp } from './fields.ts'
import { route } from './route.ts'

const kind = z.enum(['webhook', 'slack', 'feishu', 'dingtalk', 'wecom'])
const language = z.enum(LANGUAGES)
const events = z.array(z.enum(CHANNEL_EVENTS)).max(CHANNEL_EVENTS.length)
const target = z
  .strictObject({
    url: line(2000).meta({ description: 'It is stored encrypted and never shown again.' }),
    secret: line(500)
      .optional()
      .meta({ description: 'Signs messages: needed for webhooks, possible for feishu and dingtalk.' }),
  })
  .meta({ description: 'Address and secret, always both.' })
const ChannelView = z
  .strictObject({
    id: z.int(),
    kind,
    name: z.string(),
    host: z.string(),
    language,
    events: z.array(z.enum(CHANNEL_EVENTS)).meta({
      description: '`audit`, for webhooks, is every event of the audit, in order and at least once.',
    }),
    enabled: z.boolean(),
    failing_since: timestamp.nullable(),
    last_error: z.string().nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Channel' })
export type ChannelView = z.infer<typeof ChannelView>
const ChannelAnswer = z.strictObject({ channel: ChannelView })
const Event = z.enum(NOTICE_EVENT_NAMES)
const Preferences = z
  .strictObject({
    preferences: z.array(
      z.strictObject({
        event: Event,
        wanted: z.boolean(),
        chosen: z.boolean().meta({ description: 'false: the default holds.' }),
      }),
    ),
  })
  .meta({ id: 'NoticePreferences' })
export type PreferencesView = z.infer<typeof Preferences>
const Choices = z.strictObject({
  preferences: z
    .array(
      z.strictObject({
        event: Event,
        wanted: z.boolean().nullable().meta({ description: 'null: as the default is.' }),
      }),
    )
    .max(NOTICE_EVENT_NAMES.length),
})

export const notices = [
  route({
    method: 'GET',
    path: '/admin/api/channels',
    tier: 'auditor',
    summary: 'Group chats and webhooks that are told of events. Their addresses are not shown.',
    reply: z.strictObject({ channels: z.array(ChannelView) }),
    handle: async ({ deps }) => ({ channels: (await listChannels(deps.db)).map(channelView) }),
  }),
  route({
    method: 'POST',
    path: '/admin/api/channels',
    tier: 'admin',
    summary: 'Sets a channel up.',
    errors: [409],
    body: z.strictObject({
      kind,
      name: line(100),
      target,
      events,
      language: language.default('en'),
      enabled: z.boolean().default(true),
    }),
    reply: ChannelAnswer,
    status: 201,
    handle: async ({ deps, body, actor }) => ({
      channel: channelView(await createChannel({ ...deps, actor }, { ...body, target: given(body.target) })),
    }),
  }),
  route({
    method: 'PUT',
    path: '/admin/api/channels/:id',
    tier: 'admin',
    summary: 'Changes a channel. Another address is given whole, with its secret.',
    errors: [409],
    body: z.strictObject({
      name: line(100).optional(),
      target: target.optional(),
      events: events.optional(),
      language: language.optional(),
      enabled: z.boolean().optional(),
    }),
    reply: ChannelAnswer,
    async handle({ deps, params, body, actor }) {
      const change = { ...body, target: body.target && given(body.target) }
      return { channel: channelView(await updateChannel({ ...deps, actor }, idOf(params.id), change)) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/channels/:id',
    tier: 'admin',
    summary: 'Removes a channel. What waits for it is not sent.',
    reply: z.strictObject({ message: z.string() }),
    async handle({ deps, params, actor }) {
      await deleteChannel({ ...deps, actor }, idOf(params.id))
      return { message: 'deleted' }
    },
  }),
  route({
    method: 'POST',
    path: '/admin/api/channels/:id/test',
    tier: 'admin',
    summary: 'Sends a message to try the channel out, and tells whether it was taken.',
    reply: z.strictObject({
      delivered: z.boolean(),
      error: z.string().nullable().meta({ description: 'Why it was not taken.' }),
    }),
    async handle({ deps, params }) {
      const error = await testChannel(deps, idOf(params.id))
      return { delivered: error === undefined, error: error ?? null }
    },
  }),
  route({
    method: 'GET',
    path: '/api/notices/preferences',
    tier: 'session',
    summary: 'Which events the caller is told of by mail.',
    reply: Preferences,
    handle: async ({ deps, caller }) => preferencesView(await preferencesOf(deps.db, caller.user.id)),
  }),
  route({
    method: 'PUT',
    path: '/api/notices/preferences',
    tier: 'session',
    summary: 'Chooses which events the caller is told of by mail. Those that are left out stay as they are.',
    body: Choices,
    reply: Preferences,
    handle: async ({ deps, caller, body }) =>
      preferencesView(await choosePreferences(deps.db, caller.user.id, body.preferences)),
  }),
  route({
    method: 'GET',
    path: '/admin/api/notices/preferences',
    tier: 'auditor',
    summary: 'Which events people are told of by mail unless they choose otherwise.',
    reply: Preferences,
    handle: async ({ deps }) => preferencesView(await defaultPreferences(deps.db)),
  }),
  route({
    method: 'PUT',
    path: '/admin/api/notices/preferences',
    tier: 'admin',
    summary: 'Chooses which events people are told of by mail unless they choose otherwise.',
    body: Choices,
    reply: Preferences,
    handle: async ({ deps, body, actor }) =>
      preferencesView(await chooseDefaults({ ...deps, actor }, body.preferences)),
  }),
]

function given({ url, secret }: z.output<typeof target>) {
  return { url, secret }
}

function preferencesView(preferences: readonly Preference[]) {
  return { preferences: preferences.map(({ event, wanted, chosen }) => ({ event, wanted, chosen })) }
}

function channelView({ failingSince, lastError, createdAt, updatedAt, ...channel }: Channel) {
  const { id, kind, name, host, language, events, enabled } = channel
  return {
    id,
    kind,
    name,
    host,
    language,
    events: [...events],
    enabled,
    failing_since: failingSince === null ? null : timeText(failingSince),
    last_error: lastError,
    created_at: timeText(createdAt),
    updated_at: timeText(updatedAt),
  }
}
