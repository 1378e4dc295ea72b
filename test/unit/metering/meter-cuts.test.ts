import { expect, test } from 'vitest'
import { createStreamMeter } from '../../../core/metering/anthropic-stream.ts'
import { STREAMS } from '../../cases/streams.ts'

test.each(STREAMS)('$name: metered alike wherever it is cut', ({ body }) => {
  const bytes = new TextEncoder().encode(body)
  const metered = (...cuts: number[]) => {
    const meter = createStreamMeter()
    let from = 0
    for (const cut of [...cuts, bytes.length]) {
      meter.write(bytes.subarray(from, cut))
      from = cut
    }
    return { state: meter.state(), error: meter.error(), ...meter.usage() }
  }
  const whole = metered()
  for (let cut = 1; cut < bytes.length; cut++) expect(metered(cut)).toEqual(whole)
  expect(metered(...bytes.keys())).toEqual(whole)
})
