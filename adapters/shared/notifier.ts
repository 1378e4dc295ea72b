/** Sends to channels on Node and Lambda, to where the configuration allows it. */
import type { Config } from '../../config/schema.ts'
import type { Clock, Notifier } from '../../core/ports.ts'
import { nodePost } from '../drivers/notifier/node-post.ts'
import { createNotifier } from '../drivers/notifier/notifier.ts'

export function notifierFrom({ notify }: Config, clock: Clock): Notifier {
  return createNotifier({ post: nodePost({ allowPrivate: notify.allow_private }), clock })
}
