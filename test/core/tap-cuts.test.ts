import { expect, test } from 'vitest'
import { createStreamTap } from '../../core/metering/anthropic.ts'
import { STREAMS } from '../cases/streams.ts'

test.each(STREAMS)('$name: metered alike wherever it is cut', ({ body }) => {
  const bytes = new TextEncoder().encode(body)
  const metered = (...cuts: number[]) => {
    const tap = createStreamTap()
    let from = 0
    for (const cut of [...cuts, bytes.length]) {
      tap.write(bytes.subarray(from, cut))
      from = cut
    }
    return { state: tap.state(), error: tap.error(), ...tap.metered() }
  }
  const whole = metered()
  for (let cut = 1; cut < bytes.length; cut++) expect(metered(cut)).toEqual(whole)
  expect(metered(...bytes.keys())).toEqual(whole)
})
