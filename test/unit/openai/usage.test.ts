import { expect, test } from 'vitest'
import { billedUsageOf } from '../../../core/metering/meter.ts'
import { createUsageReader } from '../../../core/openai/reply/projection.ts'

const END = { final: true, estimatedOutput: 0, refusedUnserved: false, servedBy: undefined, failed: false }

test.each([5, 2.4, 2.6, 0.2, -3, 9e15, '7', null, true, {}])(
  'a count of %j is told as it is billed',
  (count) => {
    const usage = {
      input_tokens: count,
      output_tokens: count,
      cache_read_input_tokens: count,
      cache_creation_input_tokens: count,
    }
    const reader = createUsageReader()
    reader.read(usage)
    const { input, output, cached, cacheWritten } = reader.counts()
    const [part] = billedUsageOf(usage, END).parts
    expect({
      input: input - cached - cacheWritten,
      output,
      cacheRead: cached,
      cacheWrite5m: cacheWritten,
    }).toEqual({ ...part?.tokens, cacheWrite1h: undefined })
  },
)
