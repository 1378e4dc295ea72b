import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createStreamMeter } from '../../../core/metering/anthropic-stream.ts'
import { createWholeMeter } from '../../../core/metering/whole-answer.ts'
import { STREAMS } from '../../cases/streams.ts'
import { STREAM, told } from '../../support/usage-streams.ts'

const encoder = new TextEncoder()

test.each(STREAMS)('$name: metered alike wherever it is cut', ({ body }) => {
  const bytes = encoder.encode(body)
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

test('no bytes make a meter throw, and no cut changes what it tells', () => {
  const pieces = [
    ...STREAM.split(/(?<=\n)/),
    '\r',
    '\n',
    ':',
    'data:',
    'event: error\n',
    '\ufeff',
    '\\u12',
    '"',
    '{"text":"',
  ]
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 20 }).map((parts) => encoder.encode(parts.join(''))),
    fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => encoder.encode(STREAM).with(at % 400, byte)),
  )
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(), { maxLength: 8 }), (bytes, cuts) => {
      for (const create of [createStreamMeter, createWholeMeter]) {
        expect(told(create(), bytes, cuts)).toEqual(told(create(), bytes))
      }
    }),
    { numRuns: 3000 },
  )
})
