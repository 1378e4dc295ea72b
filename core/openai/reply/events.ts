/** Reads Claude's stream as events (core/calls/PROTOCOL.md, Streams). Chunks of bytes may end anywhere. */

import { boundedJson } from '../../json/bounds.ts'
import { exactJson, mayLoseDigits } from '../../json/exact.ts'
import { isRecord } from '../../json/is-record.ts'
import { createEventReader, type EventReader } from '../../sse/reader.ts'

/** In bytes: far more than any event has, so that an endless one cannot fill the memory. */
const LONGEST_EVENT = 64 * 1024 * 1024

/** The fields read of each event. They are not parsed with a schema, because they come from a backend and are frequent. */
export type ClaudeEvent =
  | { type: 'message_start'; message: { id: string; usage?: Record<string, unknown>; service_tier?: string } }
  | { type: 'content_block_start'; index: number; content_block: StartedBlock }
  | { type: 'content_block_delta'; index: number; delta: Delta }
  | { type: 'content_block_stop'; index: number }
  | { type: 'message_delta'; delta: MessageEnd; usage?: Record<string, unknown> }
  | { type: 'message_stop' }
  | { type: 'ping' }
  | { type: 'error'; error: { type?: string; message?: string } }

export type StartedBlock =
  | { type: 'text'; text?: string; citations?: Citation[] | null }
  | { type: 'thinking'; thinking?: string; signature?: string }
  | { type: 'redacted_thinking'; data: string }
  | { type: 'tool_use'; id: string; name: string; input?: unknown }
  | { type: 'server_tool_use'; id: string; name: string; input?: unknown }
  | { type: 'web_search_tool_result'; tool_use_id: string; content?: unknown }
  | { type: 'other' }
export interface Citation {
  type?: string
  url?: string
  title?: string | null
}
export type Delta =
  | { type: 'text_delta'; text: string }
  | { type: 'thinking_delta'; thinking: string }
  | { type: 'signature_delta'; signature: string }
  | { type: 'input_json_delta'; partial_json: string }
  | { type: 'citations_delta'; citation: Citation }
export interface MessageEnd {
  stop_reason?: string | null
  stop_details?: { explanation?: string | null | undefined } | null
}

const READ = new Set<string>([
  'message_start',
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
  'error',
] satisfies ClaudeEvent['type'][])

/** Calls `onEvent` for each event in order. Throws SyntaxError if the data of a known event is not JSON. */
export function createClaudeReader(onEvent: (event: ClaudeEvent) => void): EventReader {
  return createEventReader({
    most: () => LONGEST_EVENT,
    onEvent({ name, data, whole }) {
      const value = eventOf(data)
      if (isRecord(value)) {
        // The event's SSE name overrides its `type`. The cast: see ClaudeEvent.
        const event = name === undefined || value.type === name ? value : { ...value, type: name }
        onEvent(event as unknown as ClaudeEvent)
      } else if (whole && (name === undefined ? data !== '[DONE]' : READ.has(name))) {
        throw new SyntaxError('an event is no JSON')
      }
    },
  })
}

/** The parsed event. Numbers keep every digit where a block may begin with the input of a tool. */
function eventOf(data: string | undefined): unknown {
  const value = boundedJson(data)
  const begins = data !== undefined && isRecord(value) && isRecord(value.content_block)
  return begins && mayLoseDigits(data) ? exactJson(data) : value
}
