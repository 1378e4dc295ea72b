/** Translates output length, sampling and thinking to what a model accepts (core/calls/PROTOCOL.md, OpenAI's requests). */
import type { Abilities, Effort } from '../../models/abilities.ts'
import type { MessagesRequest, Thinking, Turn } from '../messages-api.ts'

export const REASONING_EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const
export type ReasoningEffort = (typeof REASONING_EFFORTS)[number]
type Warn = (text: string) => void

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
const LEAST_BUDGET = 1024
/** The least output tokens left for the answer after thinking. */
const ANSWER_TOKENS = 1024

/** max_tokens: what was asked for or a default, at most the model's limit. `warn` is told of the limit. */
export function outputTokens(
  { param, tokens }: { param: string; tokens: number | null | undefined },
  streamed: boolean,
  { maxOutput }: Abilities,
  warn: Warn,
): number {
  if ((tokens ?? 0) > maxOutput) warn(`${param}: at most ${maxOutput} with this model`)
  return Math.min(maxOutput, tokens ?? (streamed ? USUAL_OUTPUT.streamed : USUAL_OUTPUT.whole))
}

interface AskedReasoning {
  effort: { param: string; level: ReasoningEffort | null | undefined }
  /** Claude's own parameter, which some clients send. */
  thinking: Record<string, unknown> | null | undefined
  /** The parameter that limits the output, and its value. */
  limit: { param: string; tokens: number | null | undefined }
}
interface ReasoningContext {
  messages: readonly Turn[]
  abilities: Abilities
  /** max_tokens so far. */
  limit: number
  warn: Warn
}
interface Reasoning {
  thinking?: Thinking | Record<string, unknown>
  effort?: Effort
  /** At least what a thinking budget needs. */
  maxTokens: number
}

/** Thinking as it was asked for, if the model takes it: Claude's own parameter goes first. */
export function reasoning({ effort, thinking, limit }: AskedReasoning, context: ReasoningContext): Reasoning {
  const byLevel = effort.level ? leveled(effort.level, effort.param, context) : { maxTokens: context.limit }
  const own = thinking ? ownThinking(thinking, context) : undefined
  const chosen = own ? { ...byLevel, ...own } : byLevel
  if (chosen.thinking && context.messages.at(-1)?.role === 'assistant') {
    context.warn('thinking: not while a message of the assistant is continued')
    const { thinking: _, ...rest } = chosen
    return { ...rest, maxTokens: context.limit }
  }
  if (limit.tokens != null && chosen.maxTokens > context.limit)
    context.warn(`${limit.param}: ${chosen.maxTokens}, because thinking needs so many`)
  return chosen
}

function leveled(level: ReasoningEffort, param: string, context: ReasoningContext): Reasoning {
  const { messages, abilities, limit, warn } = context
  const told = (text: string) => warn(`${param}: ${text}`)
  if (abilities.effort.size > 0) return { ...byEffort(level, abilities, told), maxTokens: limit }
  if (level === 'none') return { maxTokens: limit }
  const isBetween = goesOn(messages)
  if (!abilities.thinking.has('enabled') || isBetween) {
    told(isBetween ? NOT_BETWEEN : 'this model does not think')
    return { maxTokens: limit }
  }
  const budget = Math.min(BUDGETS[level], abilities.maxOutput - ANSWER_TOKENS)
  return withBudget(budget, limit, abilities)
}

const NOT_BETWEEN = 'this model does not think between the calls of tools'

/** Whether a tool was called last: a model that thinks by a budget needs its signed thinking back then, which chats do not return. */
function goesOn(messages: readonly Turn[]): boolean {
  return messages.at(-1)?.content.some(({ type }) => type === 'tool_result') === true
}

function hasThinking(turn: Turn | undefined): boolean {
  return turn?.content.some(({ type }) => type === 'thinking' || type === 'redacted_thinking') === true
}

function withBudget(budget: number, limit: number, { maxOutput }: Abilities): Reasoning {
  return {
    thinking: { type: 'enabled', budget_tokens: budget },
    maxTokens: Math.min(maxOutput, Math.max(limit, budget + ANSWER_TOKENS)),
  }
}

function ownThinking(
  thinking: Record<string, unknown>,
  { messages, abilities, limit, warn }: ReasoningContext,
): Reasoning | undefined {
  const { type, budget_tokens: budget } = thinking
  if (![...abilities.thinking].some((one) => one === type)) {
    warn(`thinking: this model takes ${[...abilities.thinking].join(', ')} only`)
    return undefined
  }
  if (type !== 'enabled') return { thinking, maxTokens: limit }
  if (goesOn(messages) && !hasThinking(messages.at(-2))) {
    warn(`thinking: ${NOT_BETWEEN}`)
    return undefined
  }
  const most = abilities.maxOutput - ANSWER_TOKENS
  const wanted = Number(budget)
  const kept = Math.max(LEAST_BUDGET, Math.min(Number.isInteger(wanted) ? wanted : LEAST_BUDGET, most))
  if (kept !== wanted) warn(`thinking.budget_tokens: ${kept}`)
  return withBudget(kept, limit, abilities)
}

/** Claude's levels for each of OpenAI's, best first. */
const LEVELS: Record<Exclude<ReasoningEffort, 'none'>, readonly Effort[]> = {
  minimal: ['low'],
  low: ['low'],
  medium: ['medium'],
  high: ['high'],
  xhigh: ['xhigh', 'max', 'high'],
  max: ['max', 'high'],
}

function byEffort(
  asked: ReasoningEffort,
  { effort, thinking, thinkingByDefault }: Abilities,
  warn: Warn,
): { thinking?: Thinking; effort?: Effort } {
  if (asked === 'none') {
    if (thinking.has('disabled')) return thinkingByDefault ? { thinking: { type: 'disabled' } } : {}
    if (thinking.has('between_tools')) return { thinking: { type: 'between_tools' } }
    warn('low, because this model always thinks')
    return { effort: 'low' }
  }
  const level = LEVELS[asked].find((one) => effort.has(one))
  if (level !== asked) warn(level ?? 'this model has no such level')
  const adapts = !thinkingByDefault && thinking.has('adaptive')
  return { ...(level ? { effort: level } : {}), ...(adapts ? { thinking: { type: 'adaptive' } } : {}) }
}

/** temperature or top_p, never both, if the model accepts them; neither while it thinks. `warn` gets what was dropped. */
export function sampling(
  asked: { temperature?: number | null | undefined; top_p?: number | null | undefined },
  abilities: Abilities,
  thinks: boolean,
  warn: Warn,
): Pick<MessagesRequest, 'temperature' | 'top_p'> {
  const temperature = asked.temperature ?? undefined
  const topP = asked.top_p ?? undefined
  if (!abilities.sampling || thinks) {
    for (const [name, value] of Object.entries({ temperature, top_p: topP }))
      if ((value ?? 1) !== 1) warn(`${name}: this model takes none${thinks ? ' while it thinks' : ''}`)
    return {}
  }
  if (temperature !== undefined) {
    if (topP !== undefined && topP !== 1) warn('top_p ignored beside temperature')
    if (temperature > 1) warn('temperature: at most 1')
    return { temperature: Math.min(temperature, 1) }
  }
  return topP === undefined ? {} : { top_p: topP }
}

/** Tiers of OpenAI's that ask for nothing, and the two names of its fast mode. Others change speed and price, but no answer. */
const USUAL_TIERS = new Set(['auto', 'default'])
const FAST_TIERS = new Set(['fast', 'priority'])

/** Whether the answer is to come fast, by OpenAI's parameter or Claude's own. `warn` is told what the model does not have. */
export function fastAsked(
  { service_tier, speed }: { service_tier?: string | null | undefined; speed?: string | null | undefined },
  { fast }: Abilities,
  warn: Warn,
): boolean {
  const tier = service_tier ?? 'auto'
  const isFast = FAST_TIERS.has(tier)
  if (!isFast && !USUAL_TIERS.has(tier)) warn('service_tier: Claude has no such tier')
  if (!isFast && speed !== 'fast') return false
  if (!fast) warn(`${speed === 'fast' ? 'speed' : 'service_tier'}: this model has no fast mode`)
  return fast
}

/** Stop sequences less those of nothing but white space, because Claude refuses them. `warn` is told which. */
export function stopSequences(stop: string | readonly string[] | null | undefined, warn: Warn): string[] {
  const all = typeof stop === 'string' ? [stop] : (stop ?? [])
  return all.flatMap((text, i) => {
    if (text.trim() !== '') return [text.toWellFormed()]
    if (text !== '') warn(`stop${typeof stop === 'string' ? '' : `[${i}]`}: white space alone ends nothing`)
    return []
  })
}
