/** What there is to choose of channels. */
import type { Channel } from '../api/index.ts'

type Kind = Channel['kind']
export type ChannelEvent = Channel['events'][number]

/** Whether a kind has a secret beside its address. */
export const SECRETS: Readonly<Record<Kind, 'needed' | 'optional' | 'none'>> = {
  webhook: 'needed',
  slack: 'none',
  feishu: 'optional',
  dingtalk: 'optional',
  wecom: 'none',
}
export const KINDS = Object.keys(SECRETS) as Kind[] // it has them all
export const LANGUAGES = [
  { value: 'en', name: 'English', lang: 'en' },
  { value: 'zh', name: '简体中文', lang: 'zh-CN' },
] as const satisfies readonly { value: Channel['language']; name: string; lang: string }[]

const EVENTS: Readonly<Record<Exclude<ChannelEvent, 'audit'>, true>> = {
  'application.made': true,
  'application.decided': true,
  'increase.made': true,
  'increase.decided': true,
  'limit.reached': true,
  'key.ending': true,
  'backend.out': true,
  'backend.back': true,
  'credit.used_up': true,
  'model.retiring': true,
  'people.paused': true,
  'identity.joined': true,
  'device.copied': true,
}

/** Webhooks alone take the audit. */
export function eventsOf(kind: Kind): ChannelEvent[] {
  const all = Object.keys(EVENTS) as ChannelEvent[] // it has them all
  return kind === 'webhook' ? [...all, 'audit'] : all
}
