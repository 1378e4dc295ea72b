/** Claude's answer as the events that translations read (protocol reference §2.1). Bytes may be cut anywhere. */

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

export interface EventReader {
  /** The next bytes. Throws SyntaxError for an event that is no JSON. */
  write(chunk: Uint8Array): void
}

/** Calls `onEvent` for each event, in order; comments and names of events are passed over. Linear for any cutting. */
export function createEventReader(onEvent: (event: ClaudeEvent) => void): EventReader {
  const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: false })
  /** The beginning of a line whose end has not come yet. */
  let pieces: string[] = []
  let data: string | undefined

  function line(text: string) {
    if (text === '') {
      if (data !== undefined && data !== '[DONE]') onEvent(JSON.parse(data))
      data = undefined
    } else if (text.startsWith('data:')) {
      const value = text.slice(text.charCodeAt(5) === 0x20 ? 6 : 5)
      data = data === undefined ? value : `${data}\n${value}`
    }
  }

  return {
    write(chunk) {
      const text = decoder.decode(chunk, { stream: true })
      let from = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
        pieces.push(text.slice(from, end))
        const whole = pieces.length === 1 ? (pieces[0] ?? '') : pieces.join('')
        pieces = []
        from = end + 1
        line(whole.endsWith('\r') ? whole.slice(0, -1) : whole)
      }
      if (from < text.length) pieces.push(text.slice(from))
    },
  }
}
