/** Translates Claude's message into an OpenAI response, whole or streamed (core/calls/PROTOCOL.md, OpenAI's replies). */

import { Refusal } from '../../errors.ts'
import type { OpenAiError } from '../errors.ts'
import type { AnswerContext, Collector, StreamTranslator } from '../translator.ts'
import { createSummaryCheck } from './compaction-item.ts'
import type { ClaudeEvent, MessageEnd } from './events.ts'
import type { Emit } from './item.ts'
import { createUsageReader, refusalOf, responsesUsage, UNFINISHED } from './projection.ts'
import { createItems, type ItemOptions } from './responses-items.ts'

export interface ResponsesContext extends AnswerContext, ItemOptions {
  /** The fields of the request that the response repeats. */
  echo: Record<string, unknown>
}

const STATELESS = { background: false, previous_response_id: null, store: false, truncation: 'disabled' }
/** Codes of errors that clients of responses act upon; any other is the server's. */
const CODES = new Set(['rate_limit_exceeded', 'insufficient_quota', 'context_length_exceeded'])

export function createResponsesCollector(context: ResponsesContext): Collector {
  const machine = createMachine(context, () => '')
  const summary = createSummaryCheck(context.compacts)
  return {
    event(event) {
      summary.read(event)
      machine.event(event)
    },
    whole() {
      const missing = summary.missing()
      if (missing !== undefined) throw new Refusal('all_backends_failed', missing)
      return machine.response()
    },
  }
}

export function createResponsesStream(context: ResponsesContext): StreamTranslator {
  let sequence = 0
  const emit = (type: string, fields: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`
  const machine = createMachine(context, emit)
  const summary = createSummaryCheck(context.compacts)
  return {
    event(event) {
      summary.read(event)
      const missing = event.type === 'message_stop' ? summary.missing() : undefined
      return missing === undefined ? machine.event(event) : machine.fail({ code: null, message: missing })
    },
    failed: machine.fail,
  }
}

function createMachine({ model, created, echo, ...options }: ResponsesContext, emit: Emit) {
  const usage = createUsageReader()
  const items = createItems(emit, options)
  let id: string = crypto.randomUUID()
  let end: MessageEnd = {}
  let status: 'in_progress' | 'completed' | 'incomplete' | 'failed' = 'in_progress'
  let error: { code: string; message: string } | null = null

  const response = (): Record<string, unknown> => ({
    id: `resp_${id}`,
    object: 'response',
    created_at: created,
    status,
    error,
    incomplete_details: status === 'incomplete' ? { reason: incompleteReason(end) } : null,
    model,
    output: items.output(status === 'failed'),
    ...STATELESS,
    ...echo,
    usage: status === 'in_progress' ? null : responsesUsage(usage.counts()),
  })

  function event(event: ClaudeEvent): string {
    switch (event.type) {
      case 'message_start': {
        id = event.message.id
        usage.read(event.message.usage)
        const begun = emit('response.created', { response: response() })
        return begun + emit('response.in_progress', { response: response() })
      }
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
        const cut = incompleteReason(end) !== undefined
        const last = items.finish(refusalOf(end), cut)
        status = cut ? 'incomplete' : 'completed'
        return last + emit(`response.${status}`, { response: response() })
      }
      case 'ping':
        return ': ping\n\n'
      default:
        return ''
    }
  }
  function fail({ code, message }: Pick<OpenAiError, 'code' | 'message'>): string {
    status = 'failed'
    error = { code: code !== null && CODES.has(code) ? code : 'server_error', message }
    return emit('response.failed', { response: response() })
  }
  return { event, response, fail }
}

function incompleteReason({ stop_reason }: MessageEnd): 'max_output_tokens' | undefined {
  return stop_reason && UNFINISHED.has(stop_reason) ? 'max_output_tokens' : undefined
}
