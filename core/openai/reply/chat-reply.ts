/** Translates Claude's message into a chat completion, whole or streamed (core/calls/PROTOCOL.md, OpenAI's replies). */

import type { AnswerContext, Collector, StreamTranslator } from '../translator.ts'
import type { ClaudeEvent } from './events.ts'
import { createMessageCollector } from './message.ts'
import { chatUsage, createUsageReader, finishReason } from './projection.ts'

export interface ChatContext extends AnswerContext {
  includeUsage: boolean
  /** The request has the deprecated `functions` instead of `tools`. */
  legacyFunctions: boolean
}

export function createChatCollector({ model, created, legacyFunctions }: ChatContext): Collector {
  const collector = createMessageCollector()
  return {
    event: collector.event,
    whole() {
      const { id, blocks, end, counts, serviceTier } = collector.message()
      const said = blocks.flatMap((block) => (block.type === 'text' ? [block] : []))
      const calls = blocks.flatMap((block) => (block.type === 'tool_use' ? [block] : []))
      const text = said.map((block) => block.text).join('')
      const refusal =
        end.stop_reason === 'refusal' && text === '' ? (end.stop_details?.explanation ?? '') : null
      const functions = calls.map(({ name, arguments: input }) => ({ name, arguments: input }))
      const message = {
        role: 'assistant',
        content: text === '' && (calls.length > 0 || refusal !== null) ? null : text,
        refusal,
        annotations: said.flatMap(({ citations }) =>
          citations.map((url_citation) => ({ type: 'url_citation', url_citation })),
        ),
        ...(legacyFunctions && functions[0] ? { function_call: functions[0] } : {}),
        ...(!legacyFunctions && calls.length > 0
          ? {
              tool_calls: calls.map((call, i) => ({ id: call.id, type: 'function', function: functions[i] })),
            }
          : {}),
      }
      const finish_reason = finishReason(end.stop_reason, legacyFunctions)
      return {
        id: `chatcmpl-${id}`,
        object: 'chat.completion',
        created,
        model,
        choices: [{ index: 0, message, finish_reason, logprobs: null }],
        usage: chatUsage(counts),
        service_tier: serviceTier === 'priority' ? 'priority' : 'default',
      }
    },
  }
}

export function createChatStream({
  model,
  created,
  includeUsage,
  legacyFunctions,
}: ChatContext): StreamTranslator {
  const usage = createUsageReader()
  /** Index of a block → position of its tool call among the calls, and whether any of its input has come. */
  const calls = new Map<number, { position: number; begun: boolean }>()
  // What surrounds the delta in a chunk is the same in all chunks.
  let head = ''
  const tail = `,"logprobs":null}]${includeUsage ? ',"usage":null' : ''}}\n\n`
  const chunk = (delta: string, finish = 'null') => `${head}${delta},"finish_reason":${finish}${tail}`
  const argumentsChunk = (position: number, text: string) =>
    chunk(
      legacyFunctions
        ? `{"function_call":{"arguments":${JSON.stringify(text)}}}`
        : `{"tool_calls":[{"index":${position},"function":{"arguments":${JSON.stringify(text)}}}]}`,
    )

  function blockStart({
    index,
    content_block: block,
  }: Extract<ClaudeEvent, { type: 'content_block_start' }>) {
    if (block.type === 'text') return block.text ? chunk(`{"content":${JSON.stringify(block.text)}}`) : ''
    if (block.type !== 'tool_use') return ''
    const position = calls.size
    calls.set(index, { position, begun: false })
    const { id, name } = block
    return chunk(
      JSON.stringify(
        legacyFunctions
          ? { function_call: { name, arguments: '' } }
          : { tool_calls: [{ index: position, id, type: 'function', function: { name, arguments: '' } }] },
      ),
    )
  }
  function blockDelta({ index, delta }: Extract<ClaudeEvent, { type: 'content_block_delta' }>): string {
    if (delta.type === 'text_delta') return chunk(`{"content":${JSON.stringify(delta.text)}}`)
    const call = calls.get(index)
    if (delta.type !== 'input_json_delta' || delta.partial_json === '' || !call) return ''
    call.begun = true
    return argumentsChunk(call.position, delta.partial_json)
  }
  function stop(): string {
    if (!includeUsage) return 'data: [DONE]\n\n'
    const figures = JSON.stringify(chatUsage(usage.counts()))
    const empty = `${head.slice(0, head.lastIndexOf('[{"index"'))}[],"usage":${figures}}\n\n`
    return `${empty}data: [DONE]\n\n`
  }

  return {
    event(event) {
      switch (event.type) {
        case 'message_start': {
          usage.read(event.message.usage)
          const id = JSON.stringify(`chatcmpl-${event.message.id}`)
          const opening = `{"id":${id},"object":"chat.completion.chunk","created":${created}`
          head = `data: ${opening},"model":${JSON.stringify(model)},"choices":[{"index":0,"delta":`
          return chunk('{"role":"assistant","content":""}')
        }
        case 'content_block_start':
          return blockStart(event)
        case 'content_block_delta':
          return blockDelta(event)
        case 'content_block_stop': {
          const call = calls.get(event.index)
          return call && !call.begun ? argumentsChunk(call.position, '{}') : ''
        }
        case 'message_delta': {
          usage.read(event.usage)
          const { stop_reason, stop_details } = event.delta
          const explanation = stop_reason === 'refusal' ? stop_details?.explanation : undefined
          const refusal = explanation ? chunk(JSON.stringify({ refusal: explanation })) : ''
          return stop_reason
            ? refusal + chunk('{}', JSON.stringify(finishReason(stop_reason, legacyFunctions)))
            : ''
        }
        case 'message_stop':
          return stop()
        case 'ping':
          return ': ping\n\n'
        default:
          return ''
      }
    },
    failed: (error) => `data: ${JSON.stringify({ error })}\n\n`,
  }
}
