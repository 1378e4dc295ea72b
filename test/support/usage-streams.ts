/** Claude's streams, frame by frame, and what a usage meter tells of them. */
import { createStreamMeter } from '../../core/metering/anthropic-stream.ts'
import type { UsageMeter } from '../../core/metering/meter.ts'
import type { BilledUsage, TokenCounts } from '../../core/metering/tokens.ts'
import { createWholeMeter } from '../../core/metering/whole-answer.ts'

const encoder = new TextEncoder()
export const NONE: TokenCounts = { input: 0, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }

/** A meter's whole knowledge after `bytes` in pieces that end at `cuts`. */
export function told(meter: UsageMeter, bytes: Uint8Array, cuts: readonly number[] = []) {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let from = 0
  for (const end of ends) {
    meter.write(bytes.slice(from, end))
    from = end
  }
  meter.end()
  return { state: meter.state(), error: meter.error(), ...meter.usage() }
}
export const stream = (text: string) => told(createStreamMeter(), encoder.encode(text))
export const json = (value: unknown) => told(createWholeMeter(), encoder.encode(JSON.stringify(value)))
export const one = (tokens: Partial<TokenCounts>, model?: string) => [
  { model, tokens: { ...NONE, ...tokens } },
]
/** What is billed for these tokens, and nothing else unless `given` says so. */
export const billed = (tokens: Partial<TokenCounts>, given: Partial<BilledUsage> = {}): BilledUsage => ({
  parts: [{ model: undefined, tokens: { ...NONE, ...tokens } }],
  webSearches: 0,
  fast: false,
  geoUs: false,
  batch: false,
  serviceTier: '',
  speed: '',
  geo: '',
  estimated: false,
  inputUnknown: false,
  extra: null,
  promptLosses: [],
  ...given,
})

export const frame = (name: string, data: object) =>
  `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`
export const start = (usage?: unknown) =>
  frame('message_start', { message: { id: 'm', role: 'assistant', content: [], usage } })
export const block = (content: object) => frame('content_block_start', { index: 0, content_block: content })
export const delta = (content: object) => frame('content_block_delta', { index: 0, delta: content })
export const text = (value: string) => delta({ type: 'text_delta', text: value })
export const end = (usage?: unknown, reason = 'end_turn') =>
  frame('message_delta', { delta: { stop_reason: reason }, usage })
export const stop = frame('message_stop', {})

export const STARTED = { input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 }
export const STREAM = `${start(STARTED)}${block({ type: 'text', text: '' })}${frame('ping', {})}${text('hé "€"\n😀')}${end({ output_tokens: 7 })}${stop}`
export const METERED = { parts: one({ input: 10, cacheRead: 5, output: 7 }), estimated: false, extra: null }
