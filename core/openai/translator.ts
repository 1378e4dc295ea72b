/** What translations of an answer have in common: they read Claude's events and write OpenAI's. */

import type { OpenAiError } from './errors.ts'
import type { ClaudeEvent } from './reply/events.ts'

export interface StreamTranslator {
  /** The text to send for an event; '' if none. */
  event(event: ClaudeEvent): string
  /** The text that reports an error within the stream; nothing follows it. */
  failed(error: OpenAiError): string
}

export interface Collector {
  event(event: ClaudeEvent): void
  /** The whole answer as one object. */
  whole(): Record<string, unknown>
}

export interface AnswerContext {
  /** The model as the client named it. */
  model: string
  /** Unix seconds. */
  created: number
}
