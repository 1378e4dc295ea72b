/** Translates stop reason and usage into OpenAI's (core/calls/PROTOCOL.md, OpenAI's replies). Billing does not use this. */

import { isRecord } from '../../json/is-record.ts'
import { countFrom, mergeUsage, type RawUsage } from '../../metering/billed-usage.ts'
import type { MessageEnd } from './events.ts'

export interface Counts {
  input: number
  output: number
  cached: number
  cacheWritten: number
  reasoning: number
}

/** Merges usage as billing does: later figures replace earlier ones. */
export function createUsageReader() {
  let usage: RawUsage = {}
  return {
    read(part: RawUsage | undefined) {
      if (part) usage = mergeUsage(usage, part)
    },
    counts(): Counts {
      const cached = countFrom(usage.cache_read_input_tokens)
      const cacheWritten = countFrom(usage.cache_creation_input_tokens)
      const details = usage.output_tokens_details
      const reasoning = isRecord(details) ? details.thinking_tokens : 0
      return {
        input: countFrom(usage.input_tokens) + cached + cacheWritten,
        output: countFrom(usage.output_tokens),
        cached,
        cacheWritten,
        reasoning: countFrom(reasoning),
      }
    },
  }
}

export function chatUsage({ input, output, cached, cacheWritten, reasoning }: Counts) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cached, cache_write_tokens: cacheWritten },
    completion_tokens_details: { reasoning_tokens: reasoning },
  }
}

export function responsesUsage({ input, output, cached, cacheWritten, reasoning }: Counts) {
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached, cache_write_tokens: cacheWritten },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: reasoning },
    total_tokens: input + output,
  }
}

/** Stop reasons of answers that are not whole. A pause is one where nothing goes on. */
export const UNFINISHED: ReadonlySet<string> = new Set([
  'max_tokens',
  'model_context_window_exceeded',
  'pause_turn',
])

/** Why Claude declined, undefined where it did not. Claude does not always say. */
export function refusalOf({ stop_reason, stop_details }: MessageEnd): string | undefined {
  if (stop_reason !== 'refusal') return undefined
  return stop_details?.explanation || 'Claude declined to answer this.'
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'function_call' | 'content_filter'

export function finishReason(stopReason: string | null | undefined, legacyFunctions: boolean): FinishReason {
  if (stopReason && UNFINISHED.has(stopReason)) return 'length'
  if (stopReason === 'tool_use') return legacyFunctions ? 'function_call' : 'tool_calls'
  return stopReason === 'refusal' ? 'content_filter' : 'stop'
}
