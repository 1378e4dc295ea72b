/** Translates Claude's message into an OpenAI response, whole or streamed (core/calls/PROTOCOL.md, OpenAI's replies). */

import type { AnswerContext, Collector, StreamTranslator } from '../translator.ts'
import type { ClaudeEvent, MessageEnd } from './events.ts'
import { createUsageReader, responsesUsage } from './projection.ts'
import { createItems, type Emit } from './responses-items.ts'

export interface ResponsesContext extends AnswerContext {
  /** The fields of the request that the response repeats. */
  echo: Record<string, unknown>
  /** The request asks for `reasoning.encrypted_content`. */
  packsThinking: boolean
}

export function createResponsesCollector(context: ResponsesContext): Collector {
  const machine = createMachine(context, () => '')
  return { event: (event) => void machine.event(event), whole: () => machine.response() }
}

export function createResponsesStream(context: ResponsesContext): StreamTranslator {
  let sequence = 0
  const emit = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`
  const machine = createMachine(context, emit)
  return {
    event: machine.event,
    failed: ({ code, message, param }) => emit('error', { code, message, param }),
  }
}

function createMachine({ model, created, echo, packsThinking }: ResponsesContext, emit: Emit) {
  const usage = createUsageReader()
  const items = createItems(emit, packsThinking)
  let id = ''
  let end: MessageEnd = {}
  let status: 'in_progress' | 'completed' | 'incomplete' = 'in_progress'

  function response(): Record<string, unknown> {
    const reason = incompleteReason(end)
    return {
      id: `resp_${id}`,
      object: 'response',
      created_at: created,
      status,
      background: false,
      error: null,
      incomplete_details: status === 'incomplete' ? { reason } : null,
      model,
      output: items.output(),
      previous_response_id: null,
      store: false,
      truncation: 'disabled',
      ...echo,
      usage: status === 'in_progress' ? null : responsesUsage(usage.counts()),
    }
  }

  function event(event: ClaudeEvent): string {
    switch (event.type) {
      case 'message_start':
        id = event.message.id
        usage.read(event.message.usage)
        return (
          emit('response.created', { response: response() }) +
          emit('response.in_progress', { response: response() })
        )
      case 'content_block_start':
        return items.start(event.index, event.content_block)
      case 'content_block_delta':
        return items.delta(event.index, event.delta)
      case 'content_block_stop':
        return items.stop(event.index)
      case 'message_delta':
        end = { ...end, ...event.delta }
        usage.read(event.usage)
        return ''
      case 'message_stop': {
        const refusal = end.stop_reason === 'refusal' ? end.stop_details?.explanation : undefined
        const last = items.finish(refusal ?? undefined)
        status = incompleteReason(end) ? 'incomplete' : 'completed'
        return last + emit(`response.${status}`, { response: response() })
      }
      case 'ping':
        return ': ping\n\n'
      default:
        return ''
    }
  }
  return { event, response }
}

function incompleteReason({ stop_reason }: MessageEnd): 'max_output_tokens' | 'content_filter' | undefined {
  if (stop_reason === 'max_tokens' || stop_reason === 'model_context_window_exceeded')
    return 'max_output_tokens'
  return stop_reason === 'refusal' ? 'content_filter' : undefined
}
