/** Collects a streamed message of Claude's, for callers who did not ask for a stream. */
import * as z from 'zod'
import { boundedJson } from '../../json/bounds.ts'
import { exactJson, mayLoseDigits } from '../../json/exact.ts'
import { createCitedText, type UrlCitation } from './cited-text.ts'
import type { ClaudeEvent, MessageEnd, StartedBlock } from './events.ts'
import { type Counts, createUsageReader } from './projection.ts'

type CollectedBlock =
  | { type: 'text'; text: string; citations: UrlCitation[] }
  | { type: 'tool_use'; id: string; name: string; arguments: string }

interface CollectedMessage {
  id: string
  blocks: CollectedBlock[]
  end: MessageEnd
  counts: Counts
  /** It came from a tier that is faster than the usual one. */
  fast: boolean
}

export interface MessageCollector {
  event(event: ClaudeEvent): void
  message(): CollectedMessage
}

export function createMessageCollector(): MessageCollector {
  const usage = createUsageReader()
  /** Index → block; blocks of other types are left out. */
  const blocks = new Map<number, CollectedBlock>()
  /** Index → pieces of the block's text, joined at the end. */
  const pieces = new Map<number, string[]>()
  const cited = createCitedText()
  let id = ''
  let end: MessageEnd = {}
  let fast = false

  const add = (index: number, text: string) => {
    const list = pieces.get(index)
    if (list) list.push(text)
    else pieces.set(index, [text])
  }

  return {
    event(event) {
      switch (event.type) {
        case 'message_start':
          id = event.message.id
          usage.read(event.message.usage)
          fast = event.message.usage?.speed === 'fast' || event.message.usage?.service_tier === 'priority'
          break
        case 'content_block_start': {
          const { content_block: started, index } = event
          const block = emptyBlock(started)
          if (block) blocks.set(index, block)
          if (block?.type === 'text') cited.begin()
          break
        }
        case 'content_block_delta': {
          const { delta, index } = event
          if (delta.type === 'text_delta') {
            add(index, delta.text)
            cited.add(delta.text)
          } else if (delta.type === 'input_json_delta') add(index, delta.partial_json)
          else if (delta.type === 'citations_delta') cited.cite(delta.citation)
          break
        }
        case 'content_block_stop': {
          const block = blocks.get(event.index)
          if (block?.type === 'text') block.citations.push(...cited.end())
          break
        }
        case 'message_delta':
          end = { ...end, ...event.delta }
          usage.read(event.usage)
          break
      }
    },
    message() {
      for (const [index, block] of blocks) setText(block, (pieces.get(index) ?? []).join(''))
      const ordered = [...blocks].toSorted(([a], [b]) => a - b).map(([, block]) => block)
      return { id, blocks: ordered, end, counts: usage.counts(), fast }
    },
  }
}

/** Undefined for blocks of other types. */
function emptyBlock(started: StartedBlock): CollectedBlock | undefined {
  if (started.type === 'text') return { type: 'text', text: '', citations: [] }
  if (started.type !== 'tool_use') return undefined
  return { type: 'tool_use', id: started.id, name: started.name, arguments: '' }
}

function setText(block: CollectedBlock, text: string): void {
  if (block.type === 'text') block.text = text
  else block.arguments = text || '{}'
}

const Message = z.looseObject({
  id: z.string(),
  content: z.array(z.looseObject({ type: z.string() })),
  stop_reason: z.string().nullish(),
  stop_details: z.looseObject({ explanation: z.string().nullish() }).nullish().catch(null),
  usage: z.record(z.string(), z.unknown()).optional(),
})

/** The events in which a whole message would have been streamed; empty if `json` is no message, or too wide to be read. */
export function wholeMessageEvents(json: string): ClaudeEvent[] {
  const message = Message.safeParse(boundedJson(json)).data
  if (!message) return []
  // Inputs of tools keep every digit of their numbers.
  if (mayLoseDigits(json)) message.content = Message.parse(exactJson(json)).content
  const { id, content, stop_reason = null, stop_details = null, usage } = message
  return [
    { type: 'message_start', message: usage ? { id, usage } : { id } },
    ...content.flatMap((block, index): ClaudeEvent[] => [
      // The cast holds because a block has the members of its start event.
      { type: 'content_block_start', index, content_block: block as unknown as StartedBlock },
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason, stop_details } },
    { type: 'message_stop' },
  ]
}
