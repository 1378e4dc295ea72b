/** The rules that Claude's interface publishes, as far as a gateway can break them. */
import type { Abilities } from '../../../../core/models/abilities.ts'
import { CACHE_RULES } from './caching.ts'
import { CONTENT_RULES } from './content.ts'
import { Request, type Rule } from './rule.ts'
import { TOOL_RULES } from './tools.ts'
import { TUNING_RULES } from './tuning.ts'
import { TURN_RULES } from './turns.ts'

export const RULES: readonly Rule[] = [
  ...TURN_RULES,
  ...CONTENT_RULES,
  ...TOOL_RULES,
  ...TUNING_RULES,
  ...CACHE_RULES,
]

/** What is wrong with a request's body, as Claude words it; undefined if it keeps every rule. */
export function violation(body: unknown, abilities: Abilities): string | undefined {
  const request = Request.safeParse(body)
  if (!request.success) {
    const [issue] = request.error.issues
    return `${issue?.path.join('.')}: ${issue?.message}`
  }
  for (const { broken } of RULES) {
    const problem = broken(request.data, abilities)
    if (problem) return problem
  }
  return undefined
}
