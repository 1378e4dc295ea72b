/**
 * Reads usage from answers in OpenAI's form, for backends that speak it themselves: the last `usage` of a chat's stream,
 * that of a response's last event, or the top-level one of a whole answer. Never holds a byte back, never throws.
 */

import { meteredFrom, type RawUsage } from '../usage/usage.ts'
import type { Tap } from './anthropic.ts'

const CHARACTERS_PER_TOKEN = 4
const LONGEST_LINE = 4 * 1024 * 1024

export function createOpenAiTap(streamed: boolean): Tap {
  const decoder = new TextDecoder()
  let pieces: string[] = []
  let held = 0
  let usage: RawUsage | undefined
  let failure: string | undefined
  let ended = false
  let characters = 0

  function read(value: unknown) {
    const response = memberOf(value, 'response')
    const found = memberOf(value, 'usage') ?? memberOf(response, 'usage')
    if (isRecord(found)) usage = claudeUsage(found)
    if (isRecord(memberOf(value, 'error')) || memberOf(value, 'type') === 'error') failure = 'api_error'
    const type = memberOf(value, 'type')
    if (typeof type === 'string' && /^response\.(completed|incomplete|failed)$/.test(type)) ended = true
  }
  function line(text: string) {
    if (!text.startsWith('data:')) return
    const data = text.slice(5).trim()
    if (data === '[DONE]') ended = true
    // A figure is in few events: the others are only counted.
    else if (data.includes('"usage"') || data.includes('"error"')) tryRead(data)
    else characters += data.length
  }
  /** What is no JSON tells nothing. */
  function tryRead(text: string): boolean {
    try {
      read(JSON.parse(text))
      return true
    } catch {
      return false
    }
  }

  return {
    write(chunk) {
      const text = decoder.decode(chunk, { stream: true })
      if (!streamed) {
        held += text.length
        if (held <= LONGEST_LINE) pieces.push(text)
        // Whole at the earliest where an object ends.
        if (text.trimEnd().endsWith('}')) ended = tryRead(pieces.join(''))
        return
      }
      let from = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
        pieces.push(text.slice(from, end))
        line(pieces.join(''))
        pieces = []
        held = 0
        from = end + 1
      }
      held += text.length - from
      if (held <= LONGEST_LINE) pieces.push(text.slice(from))
    },
    state() {
      return ended ? 'complete' : usage ? 'usage' : 'open'
    },
    error: () => failure,
    metered() {
      const estimatedOutput = usage ? 0 : Math.ceil((streamed ? characters : held) / CHARACTERS_PER_TOKEN)
      const final = usage !== undefined
      return meteredFrom(usage ?? {}, { final, estimatedOutput, refusedUnserved: false, servedBy: undefined })
    },
  }
}

/** OpenAI counts what came from a cache within the prompt; Claude beside it. */
function claudeUsage(usage: Record<string, unknown>): RawUsage {
  const details = memberOf(usage, 'prompt_tokens_details') ?? memberOf(usage, 'input_tokens_details')
  const cached = countOf(memberOf(details, 'cached_tokens'))
  const written = countOf(memberOf(details, 'cache_write_tokens'))
  const prompt = countOf(usage.prompt_tokens ?? usage.input_tokens)
  return {
    input_tokens: Math.max(0, prompt - cached - written),
    cache_read_input_tokens: cached,
    cache_creation_input_tokens: written,
    output_tokens: countOf(usage.completion_tokens ?? usage.output_tokens),
  }
}

function countOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function memberOf(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
