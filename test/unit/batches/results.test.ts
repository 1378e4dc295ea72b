/** The results of a batch arrive in pieces of any size. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { settingsFrom } from '../../../config/settings.ts'
import { eachLine } from '../../../core/batches/results.ts'
import { createStop } from '../../../core/stop.ts'
import { fakeClock } from '../../support/clock.ts'
import { load, MINIMAL } from '../config/settings.ts'

const parts = { clock: fakeClock(), settings: settingsFrom(load(MINIMAL)) }
const lineOf = (id: string) => JSON.stringify({ custom_id: id, result: { type: 'expired', text: '“ß€😀' } })

async function idsIn(pieces: readonly Uint8Array[]): Promise<string[]> {
  const ids: string[] = []
  const reply = {
    status: 200,
    headers: [],
    first: undefined,
    cancel() {},
    async pipe(sink: { write(chunk: Uint8Array): unknown }) {
      for (const piece of pieces) await sink.write(piece)
    },
  }
  await eachLine(parts, { reply, stop: createStop() }, async ({ custom_id }) => void ids.push(custom_id))
  return ids
}

test('lines are the same wherever they were cut', async () => {
  const bytes = new TextEncoder().encode(`${lineOf('a')}\n\n${lineOf('b')}\r\n${lineOf('c')}`)
  const cuts = fc.uniqueArray(fc.integer({ min: 0, max: bytes.length }), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(cuts, async (cuts) => {
      const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
      const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end))
      expect(await idsIn(pieces)).toEqual(['a', 'b', 'c'])
    }),
    { numRuns: 200 },
  )
})

test('a line that is none is as an answer that broke off', async () => {
  await expect(idsIn([new TextEncoder().encode(`${lineOf('a')}\n{"custom_id":`)])).rejects.toThrow(
    'broke off',
  )
})
