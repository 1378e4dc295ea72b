/** Metrics that are made to be slow to read: calls of everybody wait meanwhile. */
import { expect, test } from 'vitest'
import { sha256 } from '../../../adapters/drivers/sha256.ts'
import { createDailySums } from '../../../core/telemetry/daily-sums.ts'
import { deltaPoints } from '../../../core/telemetry/points.ts'
import { fakeClock } from '../../support/clock.ts'
import { keptLogs } from '../../support/logs.ts'
import { memoryStore } from '../../support/memory-store.ts'

const text = new TextEncoder()

/** A field of protobuf that is a message or a text: https://protobuf.dev/programming-guides/encoding/ */
function field(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  const length: number[] = []
  for (let rest = bytes; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Uint8Array.from([(number << 3) | 2, ...length]), ...parts])
}

const times = <T>(count: number, one: (i: number) => T) => Array.from({ length: count }, (_, i) => one(i))
const DELTA = Uint8Array.from([2 << 3, 1])

const BODIES = {
  protobuf(attributes: number, points: number) {
    const resource = field(1, ...times(attributes, (i) => field(1, field(1, text.encode(`k${i}`)))))
    const point = field(1, field(7, field(1, text.encode('own'))))
    const sum = field(7, ...times(points, () => point), DELTA)
    return field(1, resource, field(2, field(2, field(1, text.encode('x')), sum)))
  },
  json(attributes: number, points: number) {
    const dataPoints = times(points, () => ({ attributes: [{ key: 'own' }] }))
    const metrics = [{ name: 'x', sum: { aggregationTemporality: 1, dataPoints } }]
    const resource = { attributes: times(attributes, (i) => ({ key: `k${i}` })) }
    return text.encode(JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] }))
  },
}

test.each(['protobuf', 'json'] as const)(
  'a resource of many attributes in %s costs each point few',
  (form) => {
    const [first] = deltaPoints(BODIES[form](1_000, 1), form === 'protobuf')
    expect(first?.attributes.size).toBe(65)
    expect(first?.attributes.has('own')).toBe(true)
  },
)

test.each(['protobuf', 'json'] as const)('of many points in %s only so many are read', async (form) => {
  const { db, close } = await memoryStore()
  const parts = { db, clock: fakeClock(), logger: keptLogs(), sha256, waitUntil: () => {} }
  const sums = createDailySums({ ...parts, modelLabel: (model) => model })
  const read = (points: number) =>
    sums.metrics({ userId: 1, keyId: 1 }, BODIES[form](1, points), form === 'protobuf')
  expect([read(1_000), read(1_001)]).toEqual([true, false])
  await close()
})
