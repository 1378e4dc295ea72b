/** What the playground sends, from what is chosen and what was said so far. */
import type { Asked } from '../ask/asked.ts'

/** `model`: as the model does by itself. */
type Thinking = 'model' | 'adaptive' | 'enabled' | 'disabled'

export interface Chosen {
  model: string
  system: string
  maxTokens: number
  thinking: Thinking
}

/** A question, and what was answered so far. */
export interface Turn {
  question: string
  answer: string
}

/** The least that a model may be told to think: https://platform.claude.com/docs/en/build-with-claude/extended-thinking */
const LEAST_BUDGET = 1024

/** Turns without an answer are left out, because roles have to take turns. */
export function requestOf(
  { model, system, maxTokens, thinking }: Chosen,
  turns: readonly Turn[],
  question: string,
): Asked {
  const budget = Math.max(LEAST_BUDGET, Math.floor(maxTokens / 2))
  return {
    model,
    // A budget is a part of the answer's tokens.
    max_tokens: thinking === 'enabled' ? Math.max(maxTokens, budget + 1) : maxTokens,
    ...(system.trim() === '' ? {} : { system: system.trim() }),
    ...(thinking === 'model'
      ? {}
      : {
          thinking: thinking === 'enabled' ? { type: thinking, budget_tokens: budget } : { type: thinking },
        }),
    messages: [
      ...turns
        .filter(({ answer }) => answer.trim() !== '')
        .flatMap(({ question: asked, answer }) => [
          { role: 'user' as const, content: asked },
          { role: 'assistant' as const, content: answer.trim() },
        ]),
      { role: 'user' as const, content: question },
    ],
  }
}
