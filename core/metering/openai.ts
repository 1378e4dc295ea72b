/**
 * Reads usage from answers in OpenAI's form, for backends that speak it themselves: the last `usage` of a chat's stream,
 * that of a response's last event, or the top-level one of a whole answer.
 */

import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import { createEventReader } from '../sse/reader.ts'
import { countFrom, type RawUsage } from './billed-usage.ts'
import { countedKeys } from './characters.ts'
import { billedUsageOf, CHARACTERS_PER_TOKEN, type UsageMeter } from './meter.ts'
import type { WholeAnswers } from './whole-answer.ts'

/** Large, because the last event of a response repeats the whole response. */
const KEPT_BYTES = 4 * 1024 * 1024
const LAST = /^response\.(completed|incomplete|failed)$/
/** What a chat's delta says, as a stream or whole. */
const TEXTS = ['content', 'reasoning_content', 'reasoning', 'refusal', 'arguments'] as const

export const OPENAI_ANSWERS: WholeAnswers = { written: countedKeys([...TEXTS, 'text']), usageOf: claudeUsage }

export function createOpenAiStreamMeter(): UsageMeter {
  let usage: RawUsage | undefined
  let failure: string | undefined
  let ended = false
  let characters = 0

  const reader = createEventReader({
    most: () => KEPT_BYTES,
    onEvent({ name, data, whole }) {
      if (data === '[DONE]') ended = true
      const value = parsedJson(data)
      // Without a `type` in its JSON an event is told by its name, but only if it came whole.
      const type = memberOf(value, 'type') ?? (whole ? name : undefined)
      if (typeof type === 'string' && LAST.test(type)) ended = true
      const found = memberOf(value, 'usage') ?? memberOf(memberOf(value, 'response'), 'usage')
      if (isRecord(found)) usage = claudeUsage(found)
      if (isRecord(memberOf(value, 'error')) || type === 'error') failure = 'api_error'
      characters += writtenIn(value, type)
    },
  })

  return {
    write: reader.write,
    end: reader.end,
    state: () => (ended ? 'complete' : usage ? 'usage' : 'open'),
    error: () => failure,
    usage: () =>
      billedUsageOf(usage ?? {}, {
        final: usage !== undefined,
        estimatedOutput: usage ? 0 : Math.ceil(characters / CHARACTERS_PER_TOKEN),
        refusedUnserved: false,
        servedBy: undefined,
        failed: failure !== undefined,
      }),
  }
}

/** How many characters the model wrote in an event: in each of the texts of a chat's delta, or as a response's delta. */
function writtenIn(event: unknown, type: unknown): number {
  if (typeof type === 'string' && type.endsWith('.delta')) return lengthOf(memberOf(event, 'delta'))
  let characters = 0
  for (const choice of listOf(memberOf(event, 'choices'))) {
    const delta = memberOf(choice, 'delta')
    const calls = listOf(memberOf(delta, 'tool_calls')).map((call) => memberOf(call, 'function'))
    for (const part of [delta, ...calls]) for (const key of TEXTS) characters += lengthOf(memberOf(part, key))
  }
  return characters
}

/** OpenAI counts cached tokens as a part of the prompt's; Claude counts them apart. What is no count stays what it is, for billing to see. */
function claudeUsage(usage: Record<string, unknown>): RawUsage {
  const details = memberOf(usage, 'prompt_tokens_details') ?? memberOf(usage, 'input_tokens_details')
  const cached = memberOf(details, 'cached_tokens')
  const written = memberOf(details, 'cache_write_tokens')
  const prompt = usage.prompt_tokens ?? usage.input_tokens
  const alone = countFrom(prompt) - countFrom(cached) - countFrom(written)
  return {
    input_tokens: countFrom(prompt) === prompt ? Math.max(0, alone) : prompt,
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: written,
    output_tokens: usage.completion_tokens ?? usage.output_tokens,
  }
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function memberOf(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined
}
