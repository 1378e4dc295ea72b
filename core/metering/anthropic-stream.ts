/** Reads what a call used from Claude's event stream. */
import * as z from 'zod'
import { isRecord } from '../json/is-record.ts'
import { parsedJson } from '../json/parse.ts'
import { eventName } from '../sse/event-name.ts'
import type { StreamEvent } from '../sse/reader.ts'
import { mergeUsage, type RawUsage } from './billed-usage.ts'
import { countedKeys } from './characters.ts'
import { billedUsageOf, CHARACTERS_PER_TOKEN, type UsageMeter } from './meter.ts'
import { promptLossesOf } from './prompt-losses.ts'
import { createRepeatReader } from './repeats.ts'

/** The event that carries nearly all bytes of a stream: its characters are counted in place and never copied. */
const DELTA = 'content_block_delta'
const WRITTEN = countedKeys(['text', 'thinking', 'partial_json'])
const KEPT_BYTES = 64 * 1024
/** The events that are read, with the most bytes of data to keep. Of blocks only a fallback is sought, which is small. */
const KEPT = new Map([
  ['message_start', KEPT_BYTES],
  ['content_block_start', 1024],
  ['message_delta', KEPT_BYTES],
  ['message_stop', 1024],
  ['error', KEPT_BYTES],
])

const Usage = z.record(z.string(), z.unknown()).nullish()
/** Checked apart (prompt-losses.ts), so that nothing in them makes the usage unreadable. */
const losses = { diagnostics: z.unknown().optional(), input_transformations: z.unknown().optional() }
const MessageStart = z.object({ message: z.object({ usage: Usage, ...losses }) })
const MessageDelta = z.object({
  delta: z.object({ stop_reason: z.string().nullish(), ...losses }).nullish(),
  usage: Usage,
  ...losses,
})
const Fallback = z.object({ type: z.literal('fallback'), to: z.object({ model: z.string() }) })
const ErrorEvent = z.object({ error: z.object({ type: z.string() }) })

function fallbackIn(value: unknown): string | undefined {
  return isRecord(value) ? fallbackOf(value.content_block) : undefined
}

/** The model that took over, if this block says so. */
export function fallbackOf(block: unknown): string | undefined {
  // Looked at first, because a schema that refuses takes 9 µs, and it would refuse nearly every block there is.
  if (!isRecord(block) || block.type !== 'fallback') return undefined
  return Fallback.safeParse(block).data?.to.model
}

export function createStreamMeter(): UsageMeter {
  let usage: RawUsage = {}
  let finalUsage = false
  let stopReason: string | undefined
  let saysSomething = false
  let servedBy: string | undefined
  let diagnostics: unknown
  let transformations: unknown
  let failure: string | undefined
  let ended = false
  /** An event that matters could not be read. */
  let damaged = false

  const reader = createRepeatReader({
    name: DELTA,
    keys: WRITTEN,
    most: (name) => (name === undefined ? KEPT_BYTES : (KEPT.get(name) ?? 0)),
    onEvent,
  })

  function onEvent({ name: sentAs, data, whole }: StreamEvent) {
    // An event without a name that was too long to keep is a delta, because no other kind grows as large.
    const name = sentAs === undefined && data === undefined ? DELTA : eventName(sentAs, data ?? '')
    reader.endText(name === DELTA)
    if (name === DELTA || name === undefined || !KEPT.has(name)) return
    const value = parsedJson(data)
    if (!whole && value === undefined) return
    if (name === 'message_stop' || name === 'error') ended = true
    try {
      read(name, value)
    } catch {
      damaged = true
    }
  }
  /** Throws if `value` is not what an event of that name carries. */
  function read(name: string, value: unknown) {
    if (name === 'message_start') {
      const { message } = MessageStart.parse(value)
      usage = message.usage ?? {}
      tell(message)
    } else if (name === 'message_delta') {
      const { delta, usage: change, ...event } = MessageDelta.parse(value)
      tell(delta ?? {})
      tell(event)
      stopReason = delta?.stop_reason ?? stopReason
      usage = mergeUsage(usage, change ?? {})
      finalUsage ||= typeof change?.output_tokens === 'number'
    } else if (name === 'content_block_start') {
      servedBy = fallbackIn(value) ?? servedBy
      saysSomething ||= fallbackIn(value) === undefined
    } else if (name === 'error') failure = errorTypeOf(value)
  }

  /** A later value replaces an earlier one. */
  function tell(told: { diagnostics?: unknown; input_transformations?: unknown }) {
    diagnostics = told.diagnostics ?? diagnostics
    transformations = told.input_transformations ?? transformations
  }

  return {
    write: reader.write,
    end: reader.end,
    state: () => (ended ? 'complete' : finalUsage ? 'usage' : 'open'),
    error: () => failure,
    usage: () => ({
      ...billedUsageOf(usage, {
        final: finalUsage && !damaged,
        estimatedOutput: finalUsage ? 0 : Math.ceil(reader.characters() / CHARACTERS_PER_TOKEN),
        refusedUnserved: stopReason === 'refusal' && !saysSomething,
        servedBy,
        failed: failure !== undefined,
      }),
      promptLosses: promptLossesOf(diagnostics, transformations),
    }),
  }
}

/** The type in an error envelope. */
export function errorTypeOf(value: unknown): string {
  return ErrorEvent.safeParse(value).data?.error.type ?? 'api_error'
}
