/** Translates Claude's message into a chat completion, whole or streamed (core/calls/PROTOCOL.md, OpenAI's replies). */

import type { AnswerContext, Collector, StreamTranslator } from '../translator.ts'
import { createCitedText } from './cited-text.ts'
import type { Delta, StartedBlock } from './events.ts'
import { createMessageCollector } from './message.ts'
import { type Counts, chatUsage, createUsageReader, finishReason, refusalOf } from './projection.ts'

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
      const { id, blocks, end, counts, fast } = collector.message()
      const said = blocks.flatMap((block) => (block.type === 'text' ? [block] : []))
      const calls = blocks.flatMap((block) => (block.type === 'tool_use' ? [block] : []))
      const text = said.map((block) => block.text).join('')
      const refusal = refusalOf(end) ?? null
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
        service_tier: fast ? 'priority' : 'default',
      }
    },
  }
}

/** Writes chunks. What surrounds the delta in a chunk is the same in all of them. */
function createChunks({ model, created, includeUsage, legacyFunctions }: ChatContext) {
  let head = ''
  const tail = `,"logprobs":null}]${includeUsage ? ',"usage":null' : ''}}\n\n`
  const chunk = (delta: string, finish = 'null') => `${head}${delta},"finish_reason":${finish}${tail}`
  return {
    chunk,
    /** To be called first. */
    begin(messageId: string) {
      const id = JSON.stringify(`chatcmpl-${messageId}`)
      const opening = `{"id":${id},"object":"chat.completion.chunk","created":${created}`
      head = `data: ${opening},"model":${JSON.stringify(model)},"choices":[{"index":0,"delta":`
      return chunk('{"role":"assistant","content":""}')
    },
    call(position: number, id: string, name: string) {
      const begun = { name, arguments: '' }
      const call = { index: position, id, type: 'function', function: begun }
      return chunk(JSON.stringify(legacyFunctions ? { function_call: begun } : { tool_calls: [call] }))
    },
    arguments(position: number, json: string) {
      const text = JSON.stringify(json)
      return chunk(
        legacyFunctions
          ? `{"function_call":{"arguments":${text}}}`
          : `{"tool_calls":[{"index":${position},"function":{"arguments":${text}}}]}`,
      )
    },
    end(counts: Counts) {
      if (!includeUsage) return 'data: [DONE]\n\n'
      const figures = JSON.stringify(chatUsage(counts))
      const empty = `${head.slice(0, head.lastIndexOf('[{"index"'))}[],"usage":${figures}}\n\n`
      return `${empty}data: [DONE]\n\n`
    },
  }
}

export function createChatStream(context: ChatContext): StreamTranslator {
  const { legacyFunctions } = context
  const usage = createUsageReader()
  /** Index of a block → position of its tool call among the calls, and whether any of its input has come. */
  const calls = new Map<number, { position: number; begun: boolean }>()
  const cited = createCitedText()
  const chunks = createChunks(context)
  const { chunk } = chunks

  function blockStart(index: number, block: StartedBlock): string {
    if (block.type === 'text') cited.begin()
    if (block.type !== 'tool_use') return ''
    const position = calls.size
    calls.set(index, { position, begun: false })
    return chunks.call(position, block.id, block.name)
  }
  function blockDelta(index: number, delta: Delta): string {
    if (delta.type === 'text_delta') {
      cited.add(delta.text)
      return chunk(`{"content":${JSON.stringify(delta.text)}}`)
    }
    if (delta.type === 'citations_delta') cited.cite(delta.citation)
    const call = calls.get(index)
    if (delta.type !== 'input_json_delta' || delta.partial_json === '' || !call) return ''
    call.begun = true
    return chunks.arguments(call.position, delta.partial_json)
  }
  function blockStop(index: number): string {
    const call = calls.get(index)
    if (call) return call.begun ? '' : chunks.arguments(call.position, '{}')
    const annotations = cited.end().map((url_citation) => ({ type: 'url_citation', url_citation }))
    return annotations.length > 0 ? chunk(JSON.stringify({ annotations })) : ''
  }

  return {
    event(event) {
      switch (event.type) {
        case 'message_start':
          usage.read(event.message.usage)
          return chunks.begin(event.message.id)
        case 'content_block_start':
          return blockStart(event.index, event.content_block)
        case 'content_block_delta':
          return blockDelta(event.index, event.delta)
        case 'content_block_stop':
          return blockStop(event.index)
        case 'message_delta': {
          usage.read(event.usage)
          const { stop_reason } = event.delta
          const refusal = refusalOf(event.delta)
          const said = refusal === undefined ? '' : chunk(JSON.stringify({ refusal }))
          return stop_reason
            ? said + chunk('{}', JSON.stringify(finishReason(stop_reason, legacyFunctions)))
            : ''
        }
        case 'message_stop':
          return chunks.end(usage.counts())
        case 'ping':
          return ': ping\n\n'
        default:
          return ''
      }
    },
    failed: (error) => `data: ${JSON.stringify({ error })}\n\n`,
  }
}
