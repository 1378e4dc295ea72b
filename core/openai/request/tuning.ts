/** Length, sampling, thinking: what of it a model takes, and in which words (core/calls/PROTOCOL.md, OpenAI's requests). */
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
/** Room for an answer beside the thinking. */
const ANSWER_TOKENS = 1024

/** Tokens of output: what was asked for, as far as the model goes. */
export function outputTokens(
  asked: number | null | undefined,
  streamed: boolean,
  { maxOutput }: Abilities,
): number {
  return Math.min(maxOutput, asked ?? (streamed ? USUAL_OUTPUT.streamed : USUAL_OUTPUT.whole))
}

/** How much thinking was asked for, in the model's own way; `maxTokens` may grow to hold it. */
export function reasoning(
  effort: ReasoningEffort | null | undefined,
  messages: readonly Turn[],
  abilities: Abilities,
  maxTokens: number,
): { thinking?: Thinking; effort?: Effort; maxTokens: number } {
  if (!effort) return { maxTokens }
  if (abilities.effort.size > 0) return { ...byEffort(effort, abilities), maxTokens }
  // The interface of OpenAI carries no signed thinking, and such a model wants it back before it goes on with a tool.
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

/** temperature and top_p where the model takes them: one of both, and neither while it thinks by a budget. */
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

/** Claude refuses stop sequences of nothing or white space. */
export function stopSequences(stop: string | readonly string[] | null | undefined): string[] {
  const all = typeof stop === 'string' ? [stop] : (stop ?? [])
  return all.filter((text) => text.trim() !== '')
}
