/** What both translations of an answer have in common: fed with Claude's events, they write OpenAI's. */

import type { OpenAiError } from './errors.ts'
import type { ClaudeEvent } from './reply/events.ts'

export interface StreamTranslator {
  /** The text to send for an event; '' for none. */
  event(event: ClaudeEvent): string
  /** The text that tells of an error in mid-stream: the last that is sent. */
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
