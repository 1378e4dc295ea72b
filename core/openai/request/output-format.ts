/** Structured output: a JSON schema, or a prompt that asks for JSON (core/calls/PROTOCOL.md, OpenAI's requests). */
import type { Abilities } from '../../models/abilities.ts'
import type { TextBlock } from '../messages-api.ts'
import { unsupported } from './refuse.ts'
import { structuredSchema } from './schema.ts'

const JSON_ONLY: TextBlock = {
  type: 'text',
  text: 'Respond with one valid JSON object and nothing else.',
}

export type AskedFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | { type: 'json_schema'; schema: unknown; param: string }

export interface Format {
  format?: { type: 'json_schema'; schema: object }
  /** To be added to the system prompt. */
  system: TextBlock[]
}

/** `warn` gets keywords of the schema that are dropped. Throws a Refusal unsupported_value. */
export function outputFormat(
  asked: AskedFormat | undefined,
  abilities: Abilities,
  warn: (text: string) => void,
): Format {
  if (asked?.type === 'json_object') return { system: [JSON_ONLY] }
  if (asked?.type !== 'json_schema') return { system: [] }
  if (!abilities.structuredOutputs) {
    throw unsupported(asked.param, 'this model has no structured output')
  }
  const schema = structuredSchema(asked.schema, asked.param, warn)
  return { format: { type: 'json_schema', schema }, system: [] }
}
