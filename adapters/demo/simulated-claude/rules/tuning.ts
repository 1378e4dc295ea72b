/** Length, sampling, thinking, effort and stop sequences. */
import { first, type Rule } from './rule.ts'

const DOCS = 'https://platform.claude.com/docs/en'
const THINKING = `${DOCS}/build-with-claude/thinking#configuring-thinking`
const LEAST_BUDGET = 1024

export const TUNING_RULES: readonly Rule[] = [
  {
    rule: 'max_tokens is at most what the model gives',
    source: `${DOCS}/about-claude/models/overview`,
    broken: ({ model, max_tokens: tokens = 0 }, { maxOutput }) =>
      tokens > maxOutput
        ? `max_tokens: ${tokens} > ${maxOutput}, which is the maximum allowed number of output tokens for ${model}`
        : undefined,
  },
  {
    rule: 'only some models take temperature, top_p and top_k, never temperature and top_p together, at most 1',
    source: `${DOCS}/about-claude/models/migration-guide`,
    broken: ({ temperature, top_p, top_k }, { sampling }) => {
      const given = { temperature, top_p, top_k }
      const refused = Object.entries(given).find(([, value]) => (value ?? 1) !== 1)
      if (refused && !sampling) return `\`${refused[0]}\` is deprecated for this model.`
      if (temperature != null && top_p != null)
        return '`temperature` and `top_p` cannot both be specified for this model. Please use only one.'
      if ((temperature ?? 0) > 1 || (temperature ?? 0) < 0) return 'temperature: range: 0..1'
      return (top_p ?? 0) > 1 || (top_p ?? 0) < 0 ? 'top_p: range: 0..1' : undefined
    },
  },
  {
    rule: 'thinking is of a type that the model takes',
    source: THINKING,
    broken: ({ thinking }, abilities) =>
      thinking && ![...abilities.thinking].some((type) => type === thinking.type)
        ? `thinking.type: "${thinking.type}" is not supported on this model`
        : undefined,
  },
  {
    rule: 'a thinking budget is at least 1024 and below max_tokens',
    source: THINKING,
    broken: ({ thinking, max_tokens: tokens = 0 }) => {
      if (thinking?.type !== 'enabled') return undefined
      const { budget_tokens: budget = 0 } = thinking
      if (budget < LEAST_BUDGET)
        return `thinking.enabled.budget_tokens: Input should be at least ${LEAST_BUDGET}`
      return budget >= tokens ? '`max_tokens` must be greater than `thinking.budget_tokens`' : undefined
    },
  },
  {
    rule: 'what thinks is not tuned, and continues no message of the assistant',
    source: THINKING,
    broken: ({ thinking, temperature, top_p, messages }) => {
      if (thinking?.type !== 'enabled' && thinking?.type !== 'adaptive') return undefined
      if ((temperature ?? 1) !== 1) return '`temperature` may only be set to 1 when thinking is enabled.'
      if ((top_p ?? 1) < 0.95) return '`top_p` must be at least 0.95 when thinking is enabled.'
      return messages.at(-1)?.role === 'assistant'
        ? 'messages: an assistant message cannot be continued while thinking is enabled'
        : undefined
    },
  },
  {
    rule: 'effort is a level that the model has',
    source: `${DOCS}/build-with-claude/effort`,
    broken: ({ output_config: config }, { effort }) =>
      config?.effort && ![...effort].some((level) => level === config.effort)
        ? `This model does not support effort level '${config.effort}'. Supported levels: ${[...effort].join(', ')}.`
        : undefined,
  },
  {
    rule: 'a stop sequence has more than white space',
    source: 'stop_sequences: each stop sequence must contain non-whitespace',
    broken: ({ stop_sequences: stops }) =>
      first(
        (stops ?? []).map(
          (text, i) =>
            !/\S/.test(text) && `stop_sequences.${i}: each stop sequence must contain non-whitespace`,
        ),
      ),
  },
  {
    rule: 'structured output continues no message of the assistant',
    source: `${DOCS}/build-with-claude/structured-outputs#feature-compatibility`,
    broken: ({ output_config: config, messages }) =>
      config?.format && messages.at(-1)?.role === 'assistant'
        ? 'output_config.format: message prefilling is incompatible with structured outputs'
        : undefined,
  },
]
