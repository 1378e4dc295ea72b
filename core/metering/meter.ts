/** What reads the usage of a call from the bytes of its answer as they pass. Never holds a byte back, never throws. */

import { billedUsage, type RawUsage } from './billed-usage.ts'
import type { BilledUsage } from './tokens.ts'

export interface UsageMeter {
  /** The next bytes of the answer, cut anywhere. */
  write(chunk: Uint8Array): void
  /** No byte follows, whatever the reason: a last event without its blank line counts from now on. */
  end(): void
  /** `usage`: the final usage is known, the answer still flows. `complete`: the answer reached its end. */
  state(): 'open' | 'usage' | 'complete'
  /** The type of the error that ended the answer, if one did. */
  error(): string | undefined
  /** What the call is billed for, if its answer ended here; may be asked for more than once. */
  usage(): BilledUsage
}

/** Where the final usage never came, output is estimated by the characters that passed. */
export const CHARACTERS_PER_TOKEN = 4
const EXTRA_CHARACTERS = 4096

type End = Parameters<typeof billedUsage>[1]

/** As billedUsage, for usage of any shape. A refused call's usage is kept whole in `extra`, as no column bills it. */
export function billedUsageOf(usage: RawUsage, end: End): BilledUsage {
  try {
    const result = billedUsage(usage, end)
    if (end.refusedUnserved) result.extra = JSON.stringify(usage, (_, value) => value ?? undefined)
    if (result.extra && result.extra.length > EXTRA_CHARACTERS) result.extra = null
    return result
  } catch {
    // Nested too deeply to be written again, or an object that throws where a number was expected: no usage at all.
    return billedUsage({}, { ...end, final: false })
  }
}
