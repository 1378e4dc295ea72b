/** What the kinds of output items of a response have in common. */
import type { Delta } from './events.ts'

/** The text of one OpenAI event. */
export type Emit = (type: string, fields: object) => string

export interface Place {
  item_id: string
  output_index: number
}

/** Each method returns the text of the events that it causes; '' if none. */
export interface Item {
  /** The item as a response shows it, less its id and status. `done`: it has all of its content. */
  view(done: boolean): Record<string, unknown>
  /** A delta of its block. */
  delta(delta: Delta): string
  /** Its block is complete. */
  blockEnds?(): string
  /** Its results came, for what runs at Claude's side. */
  found?(results: unknown): void
  /** Its content is complete. */
  end(): string
  /** What a finished item's status is instead of `completed`. */
  status?(): string | undefined
  /** It calls a tool of the caller's. */
  isCall?: true
  /** Items of this kind have no status. */
  hasNoStatus?: true
}

/** An item of text, which several blocks share. */
export interface TextItem extends Item {
  /** Another block of text begins. */
  text(): string
  /** Adds why Claude declined. */
  refuse(reason: string): string
}
