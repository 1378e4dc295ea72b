/** Claude's answer as the events that translations read (core/calls/PROTOCOL.md, Streams). Bytes may be cut anywhere. */

import { isRecord } from '../../json/is-record.ts'
import { parsedJson } from '../../json/parse.ts'
import { createEventReader, type EventReader } from '../../sse/reader.ts'

/** In bytes: far beyond any event, so that one without end does not fill the memory. */
const LONGEST_EVENT = 64 * 1024 * 1024

/** What is read of each event. It comes from our own backend, and every text event passes here: no schema, just types. */
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
  | { type: 'text'; text?: string }
  | { type: 'thinking'; thinking?: string; signature?: string }
  | { type: 'tool_use'; id: string; name: string; input?: unknown }
  | { type: 'other' }
export type Delta =
  | { type: 'text_delta'; text: string }
  | { type: 'thinking_delta'; thinking: string }
  | { type: 'signature_delta'; signature: string }
  | { type: 'input_json_delta'; partial_json: string }
  | { type: 'citations_delta'; citation: { type?: string; url?: string; title?: string } }
export interface MessageEnd {
  stop_reason?: string | null
  stop_details?: { explanation?: string | null } | null
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

/** Calls `onEvent` for each event, in order. Throws SyntaxError for one that is read and is no JSON. */
export function createClaudeReader(onEvent: (event: ClaudeEvent) => void): EventReader {
  return createEventReader({
    most: () => LONGEST_EVENT,
    onEvent({ name, data, whole }) {
      const value = parsedJson(data)
      if (isRecord(value)) {
        // The name that it was sent under goes before what it says itself; types as above.
        const event = name === undefined || value.type === name ? value : { ...value, type: name }
        onEvent(event as unknown as ClaudeEvent)
      } else if (whole && (name === undefined ? data !== '[DONE]' : READ.has(name))) {
        throw new SyntaxError('an event is no JSON')
      }
    },
  })
}
