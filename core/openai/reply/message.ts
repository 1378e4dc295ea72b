/** Collects a streamed message of Claude's, for callers who did not ask for a stream. */
import * as z from 'zod'
import type { ClaudeEvent, Delta, MessageEnd, StartedBlock } from './events.ts'
import { type Counts, createUsageReader } from './projection.ts'

type CollectedBlock =
  | { type: 'text'; text: string; citations: { url: string; title: string }[] }
  | { type: 'thinking'; thinking: string; signature: string }
  | { type: 'tool_use'; id: string; name: string; arguments: string }

interface CollectedMessage {
  id: string
  blocks: CollectedBlock[]
  end: MessageEnd
  counts: Counts
  serviceTier: string | undefined
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
  let id = ''
  let end: MessageEnd = {}
  let serviceTier: string | undefined

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
          if (typeof event.message.usage?.service_tier === 'string')
            serviceTier = event.message.usage.service_tier
          break
        case 'content_block_start': {
          const { content_block: started, index } = event
          const block = emptyBlock(started)
          if (block) blocks.set(index, block)
          if (started.type === 'text' && started.text) add(index, started.text)
          break
        }
        case 'content_block_delta': {
          const { delta, index } = event
          const block = blocks.get(index)
          if (delta.type === 'text_delta') add(index, delta.text)
          else if (delta.type === 'input_json_delta') add(index, delta.partial_json)
          else if (delta.type === 'thinking_delta') add(index, delta.thinking)
          else if (delta.type === 'signature_delta' && block?.type === 'thinking') {
            block.signature += delta.signature
          } else if (delta.type === 'citations_delta' && block?.type === 'text' && delta.citation.url) {
            block.citations.push({ url: delta.citation.url, title: delta.citation.title ?? '' })
          }
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
      return { id, blocks: ordered, end, counts: usage.counts(), serviceTier }
    },
  }
}

/** Undefined for blocks of other types. */
function emptyBlock(started: StartedBlock): CollectedBlock | undefined {
  if (started.type === 'text') return { type: 'text', text: '', citations: [] }
  if (started.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' }
  if (started.type !== 'tool_use') return undefined
  return { type: 'tool_use', id: started.id, name: started.name, arguments: '' }
}

function setText(block: CollectedBlock, text: string): void {
  if (block.type === 'text') block.text = text
  else if (block.type === 'thinking') block.thinking = text
  else block.arguments = text || '{}'
}

const Message = z.looseObject({
  id: z.string(),
  content: z.array(z.looseObject({ type: z.string() })),
  stop_reason: z.string().nullish(),
  usage: z.record(z.string(), z.unknown()).optional(),
})

/** The events in which a whole message would have been streamed; empty if `body` is not a message. */
export function wholeMessageEvents(body: unknown): ClaudeEvent[] {
  const message = Message.safeParse(body).data
  if (!message) return []
  const { id, content, stop_reason = null, usage } = message
  const started = usage ? { id, usage } : { id }
  return [
    { type: 'message_start', message: started },
    ...content.flatMap((block, index): ClaudeEvent[] => [
      // The cast holds because a block has the members of its start event; the input of a tool is sent as a delta.
      { type: 'content_block_start', index, content_block: block as unknown as StartedBlock },
      ...('input' in block
        ? [{ type: 'content_block_delta' as const, index, delta: inputDelta(block.input) }]
        : []),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason } },
    { type: 'message_stop' },
  ]
}

function inputDelta(input: unknown): Delta {
  return { type: 'input_json_delta', partial_json: JSON.stringify(input) }
}
