/** POST /v1/responses/compact: the conversation as what its user said and a summary that only the gateway unpacks. */
import type { Received } from '../calls/receive.ts'
import { Refusal } from '../errors.ts'
import type { Reply } from '../ports.ts'
import { nativeCall } from './native-call.ts'
import { packSummary } from './reasoning-envelope.ts'
import { whyNoSummary } from './reply/compaction-item.ts'
import { createMessageCollector } from './reply/message.ts'
import { responsesUsage } from './reply/projection.ts'
import { bodyOf } from './request/read.ts'
import { parsedBody } from './request/refuse.ts'
import { responsesToMessages } from './request/responses-request.ts'
import { ResponsesRequest } from './request/responses-shape.ts'
import { conversationItems, summaryRequest, userItem } from './request/summary.ts'
import { type Interface, type ServeParts, serve } from './serve.ts'
import type { Collector } from './translator.ts'

/** The summary is a call like any other: metered and limited. Throws a Refusal, or ClientGone. */
export function compact(deps: ServeParts, received: Received): Promise<Reply> {
  return serve(deps, received, compactionIn, nativeCall(deps, received, false))
}

function compactionIn(received: Received): Interface {
  const asked = parsedBody(ResponsesRequest, bodyOf(received.body))
  const items = conversationItems(asked)
  const summarising = { ...summaryRequest(asked), stream: false }
  return {
    streamed: false,
    model: asked.model,
    promptCacheKey: asked.prompt_cache_key,
    translate: (context) => responsesToMessages(summarising, context),
    stream() {
      throw new Error('compactions are not streamed')
    },
    collect: (created) => createCompactionCollector(items, created),
  }
}

type Items = Exclude<ResponsesRequest['input'], string>

function createCompactionCollector(items: Items, created: number): Collector {
  const collector = createMessageCollector()
  return {
    event: collector.event,
    whole() {
      const { id, blocks, counts, end } = collector.message()
      const summary = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('')
      const missing = whyNoSummary(summary, end)
      if (missing !== undefined) throw new Refusal('all_backends_failed', missing)
      const said = items.flatMap((item) => {
        if (!('role' in item) || item.role !== 'user') return []
        return typeof item.content === 'string' ? [userItem(item.content)] : [item]
      })
      const compaction = { id: `cmp_${id}`, type: 'compaction', encrypted_content: packSummary(summary) }
      return {
        id: `resp_${id}`,
        object: 'response.compaction',
        created_at: created,
        output: [...said, compaction],
        usage: responsesUsage(counts),
      }
    },
  }
}
