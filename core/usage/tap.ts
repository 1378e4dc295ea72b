/** Reads what a call used from the bytes of its answer as they pass. Never holds a byte back, never throws. */
import * as z from 'zod'
import { createScan, type Member } from '../json/scan.ts'
import type { Metered } from './counts.ts'
import { createFrameReader } from './sse.ts'
import { isRecord, mergeUsage, meteredFrom, type RawUsage } from './usage.ts'

export interface Tap {
  write(chunk: Uint8Array): void
  /** `usage`: the final usage is known, the answer still flows. `complete`: the answer reached its end. */
  state(): 'open' | 'usage' | 'complete'
  /** The type of the error that ended the answer, if one did. */
  error(): string | undefined
  metered(): Metered
}

const CHARACTERS_PER_TOKEN = 4
const VALUE_BYTES = 64 * 1024
const DECODER = new TextDecoder()

const Usage = z.record(z.string(), z.unknown()).nullish()
const Start = z.object({ message: z.object({ usage: Usage }) })
const Delta = z.object({
  delta: z.object({ stop_reason: z.string().nullish() }).nullish(),
  usage: Usage,
})
const BlockStart = z.object({
  content_block: z.object({ type: z.string(), to: z.object({ model: z.string() }).nullish() }),
})
const Failure = z.object({ error: z.object({ type: z.string() }) })

/** For an Anthropic event stream (protocol reference §2.1, §2.3). */
export function createStreamTap(): Tap {
  let usage: RawUsage = {}
  let finalUsage = false
  let stopReason: string | undefined
  let blocks = 0
  let servedBy: string | undefined
  let failure: string | undefined
  let ended = false
  let damaged = false

  const readers: Readonly<Record<string, (data: unknown) => void>> = {
    message_start(data) {
      usage = Start.parse(data).message.usage ?? {}
    },
    content_block_start(data) {
      // Only a fallback block matters, and it is small; a block that does not fit is none.
      const block = BlockStart.parse(data).content_block
      if (block.type === 'fallback' && block.to) servedBy = block.to.model
    },
    message_delta(data) {
      const { delta, usage: change } = Delta.parse(data)
      stopReason = delta?.stop_reason ?? stopReason
      if (!change) return
      usage = mergeUsage(usage, change)
      if (typeof change.output_tokens === 'number') finalUsage = true
    },
    error(data) {
      failure = Failure.parse(data).error.type
      ended = true
    },
    message_stop() {
      ended = true
    },
  }
  const frames = createFrameReader({
    wants: (name) => name in readers,
    onName(name) {
      if (name === 'content_block_start') blocks += 1
    },
    onFrame(name, data) {
      try {
        if (data !== undefined) readers[name]?.(JSON.parse(data))
        else if (name !== 'content_block_start') damaged = true
      } catch {
        if (name !== 'content_block_start') damaged = true
      }
    },
  })

  return {
    write: frames.write,
    state: () => (ended ? 'complete' : finalUsage ? 'usage' : 'open'),
    error: () => failure,
    metered: () =>
      meteredFrom(usage, {
        final: finalUsage && !damaged,
        estimatedOutput: Math.ceil(frames.characters() / CHARACTERS_PER_TOKEN),
        refusedUnserved: stopReason === 'refusal' && blocks === 0,
        servedBy,
      }),
  }
}

/** For an answer that is one JSON message, or an error envelope. Only its top level counts. */
export function createJsonTap(): Tap {
  let bytes = 0
  const found = new Map<string, Member>()
  const wanted = new Set(['usage', 'stop_reason', 'type', 'error', 'content'])
  const scan = createScan({
    capture: (key) => (wanted.has(key) ? VALUE_BYTES : 0),
    onMember(member) {
      if (wanted.has(member.key)) found.set(member.key, member)
    },
  })
  const memberOf = (key: string): unknown => {
    const bytesOfValue = found.get(key)?.value
    try {
      return bytesOfValue && JSON.parse(DECODER.decode(bytesOfValue))
    } catch {
      return undefined
    }
  }
  return {
    write(chunk) {
      bytes += chunk.byteLength
      scan.write(chunk)
    },
    state: () => (scan.state() === 'complete' ? 'complete' : 'open'),
    error() {
      // Nearly every answer is a "message": told by its length, before anything is parsed.
      if (found.get('type')?.value?.length !== '"error"'.length || memberOf('type') !== 'error')
        return undefined
      const failure = Failure.shape.error.safeParse(memberOf('error'))
      return failure.success ? failure.data.type : 'api_error'
    },
    metered() {
      const usage = memberOf('usage')
      const content = found.get('content')
      const whole = scan.state() === 'complete'
      return meteredFrom(isRecord(usage) ? usage : {}, {
        final: whole && isRecord(usage),
        estimatedOutput: whole ? 0 : Math.ceil(bytes / CHARACTERS_PER_TOKEN),
        refusedUnserved: memberOf('stop_reason') === 'refusal' && isEmptyList(content?.value),
        servedBy: undefined,
      })
    },
  }
}

function isEmptyList(value: Uint8Array | undefined): boolean {
  return value !== undefined && DECODER.decode(value).replaceAll(/\s/g, '') === '[]'
}
