/** Holds requests to Claude's published rules: the strict schema of what translations write, and what the API refuses. */
import { violation } from '../../adapters/demo/simulated-claude/rules/index.ts'
import type { Abilities } from '../../core/models/abilities.ts'
import { StrictMessagesRequest } from './messages-schema.ts'

/** The request as Claude reads it. Throws an Error that says what Claude would refuse. */
export function taken(text: string, abilities: Abilities): StrictMessagesRequest {
  const sent: unknown = JSON.parse(text)
  const problem = violation(sent, abilities)
  if (problem !== undefined) throw new Error(`Claude would refuse this: ${problem}\n${text.slice(0, 4_000)}`)
  return StrictMessagesRequest.parse(sent)
}
