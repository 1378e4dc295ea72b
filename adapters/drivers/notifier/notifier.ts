/** Sends to channels in their own forms, over `post`. */
import type { ChannelTarget, Clock, Notifier } from '../../../core/ports.ts'
import { dingtalk } from './dingtalk.ts'
import { feishu } from './feishu.ts'
import type { Format, PostAnswer, PostRequest } from './format.ts'
import { slack } from './slack.ts'
import { signed, webhook } from './webhook.ts'
import { wecom } from './wecom.ts'

/**
 * Posts without following redirects, to where the configuration allows it. Rejects within 15 s; the error tells neither the
 * address nor what was sent.
 */
export type Post = (request: PostRequest) => Promise<PostAnswer>

const FORMATS: Record<ChannelTarget['kind'], Format> = { webhook, slack, feishu, dingtalk, wecom }

export function createNotifier({ post, clock }: { post: Post; clock: Pick<Clock, 'now'> }): Notifier {
  async function deliver(format: Format, request: PostRequest) {
    const problem = format.problemOf(await post(request))
    if (problem !== undefined) throw problem
  }
  return {
    async send(target, message) {
      const format = FORMATS[target.kind]
      await deliver(format, await format.request(target, message, clock.now()))
    },
    async sendAudit({ url, secret }, id, events) {
      const body = { id, event: 'audit', events }
      await deliver(webhook, await signed({ url, secret, body }, clock.now()))
    },
  }
}
