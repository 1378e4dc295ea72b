/** Translates output length, sampling and thinking to what a model accepts (core/calls/PROTOCOL.md, OpenAI's requests). */
import type { Abilities, Effort } from '../../models/abilities.ts'
import type { MessagesRequest, Thinking, Turn } from '../messages-api.ts'

export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number]

const USUAL_OUTPUT = { streamed: 64_000, whole: 32_000 }
const BUDGETS: Record<ReasoningEffort, number> = {
  none: 0,
  minimal: 2048,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 16_384,
  max: 16_384,
}
/** The least output tokens left for the answer after thinking. */
const ANSWER_TOKENS = 1024

/** max_tokens: what was asked for or a default, at most the model's limit. */
export function outputTokens(
  asked: number | null | undefined,
  streamed: boolean,
  { maxOutput }: Abilities,
): number {
  return Math.min(maxOutput, asked ?? (streamed ? USUAL_OUTPUT.streamed : USUAL_OUTPUT.whole))
}

/** The effort that was asked for, as the model's effort or thinking budget; `maxTokens` may grow to hold the budget. */
export function reasoning(
  effort: ReasoningEffort | null | undefined,
  messages: readonly Turn[],
  abilities: Abilities,
  maxTokens: number,
): { thinking?: Thinking; effort?: Effort; maxTokens: number } {
  if (!effort) return { maxTokens }
  if (abilities.effort.size > 0) return { ...byEffort(effort, abilities), maxTokens }
  // Such a model needs its signed thinking back after a tool call, and OpenAI's API does not return it.
  const goesOn = messages.at(-1)?.content.some(({ type }) => type === 'tool_result')
  if (!abilities.thinking.has('enabled') || effort === 'none' || goesOn) return { maxTokens }
  const budget = Math.min(BUDGETS[effort], abilities.maxOutput - ANSWER_TOKENS)
  return {
    thinking: { type: 'enabled', budget_tokens: budget },
    maxTokens: Math.min(abilities.maxOutput, Math.max(maxTokens, budget + ANSWER_TOKENS)),
  }
}

function byEffort(
  asked: ReasoningEffort,
  { effort, thinking, thinkingByDefault }: Abilities,
): { thinking?: Thinking; effort?: Effort } {
  if (asked === 'none') {
    if (thinking.has('disabled')) return thinkingByDefault ? { thinking: { type: 'disabled' } } : {}
    if (thinking.has('between_tools')) return { thinking: { type: 'between_tools' } }
    return { effort: 'low' }
  }
  const wanted: readonly Effort[] = {
    minimal: ['low'],
    low: ['low'],
    medium: ['medium'],
    high: ['high'],
    xhigh: ['xhigh', 'max', 'high'],
    max: ['max', 'high'],
  }[asked] as readonly Effort[] // the literals above are efforts
  const level = wanted.find((one) => effort.has(one))
  const adapts = !thinkingByDefault && thinking.has('adaptive')
  return { ...(level ? { effort: level } : {}), ...(adapts ? { thinking: { type: 'adaptive' } } : {}) }
}

/** temperature or top_p, never both, if the model accepts them; neither with a thinking budget. `warn` gets what was dropped. */
export function sampling(
  asked: { temperature?: number | null | undefined; top_p?: number | null | undefined },
  abilities: Abilities,
  thinkingEnabled: boolean,
  warn: (text: string) => void,
): Pick<MessagesRequest, 'temperature' | 'top_p'> {
  const temperature = asked.temperature ?? undefined
  const topP = asked.top_p ?? undefined
  const isUsual = (temperature ?? 1) === 1 && (topP ?? 1) === 1
  if (!abilities.sampling || thinkingEnabled) {
    if (!isUsual) warn('temperature and top_p ignored')
    return {}
  }
  if (temperature !== undefined) {
    if (topP !== undefined && topP !== 1) warn('top_p ignored beside temperature')
    return { temperature: Math.min(temperature, 1) }
  }
  return topP === undefined ? {} : { top_p: topP }
}

/** Stop sequences less those that are empty or white space, because Claude refuses them. */
export function stopSequences(stop: string | readonly string[] | null | undefined): string[] {
  const all = typeof stop === 'string' ? [stop] : (stop ?? [])
  return all.filter((text) => text.trim() !== '')
}
