/** Figures of workers, gathered in their primary process over real sockets. */
import { afterEach, expect, test } from 'vitest'
import { hostFigures, primaryFigures } from '../../adapters/drivers/primary/figures.ts'
import { createPrimaryStores } from '../../adapters/drivers/primary/stores.ts'
import { systemClock } from '../../core/clock.ts'
import { gauge } from '../../core/observability/gauges.ts'
import type { LiveState } from '../../core/observability/processes.ts'
import { startPrimary } from '../support/primary.ts'

const NOTHING = { calls: 0, failed: 0, input: 0, output: 0, cacheRead: 0, cacheWrite: 0, costMicros: 0 }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function scene() {
  const hosted = hostFigures(() => [gauge('process.memory.usage', 10)])
  const primary = await startPrimary(systemClock, createPrimaryStores(systemClock, hosted))
  closing.push(primary.stop)
  const worker = async () => {
    const channel = await primary.channel()
    let errors = 0
    let changed = false
    let callsInFlight = 0
    const live = (): LiveState => ({
      callsInFlight,
      recent: { tenSeconds: NOTHING, minute: NOTHING },
      backends: [],
    })
    const changes = () => {
      const counts = changed ? [{ ...gauge('claude_gateway.errors', errors), labels: ['not_found'] }] : []
      changed = false
      return [...counts, gauge('claude_gateway.calls.in_flight', callsInFlight)]
    }
    return {
      ...primaryFigures(channel, { changes, live }),
      end: channel.close,
      err: (times: number) => {
        errors += times
        changed = true
      },
      begin: (calls: number) => {
        callsInFlight += calls
      },
    }
  }
  const sums = (all: readonly { metric: string; numbers: readonly number[] }[]) =>
    Object.fromEntries(all.map(({ metric, numbers: [number] }) => [metric, number]))
  return { hosted, worker, sums }
}

test('every worker tells the figures of all, and the primary process those of its own besides', async () => {
  const { hosted, worker, sums } = await scene()
  const [one, two] = [await worker(), await worker()]
  one.err(2)
  one.begin(1)
  two.err(3)
  two.begin(4)
  one.report()
  two.report()
  const expected = {
    'claude_gateway.errors': 5,
    'claude_gateway.calls.in_flight': 5,
    'process.memory.usage': 10,
  }
  expect(sums(await one.figures())).toEqual(expected)
  expect(sums(await two.figures())).toEqual(expected)
  expect(sums(hosted.figures())).toEqual(expected)
  expect((await two.live()).map(({ callsInFlight }) => callsInFlight).toSorted()).toEqual([1, 4])
})

test('only what changed is told, and counts are never told twice', async () => {
  const { worker, sums } = await scene()
  const one = await worker()
  one.err(2)
  for (let i = 0; i < 5; i += 1) one.report()
  one.err(1)
  expect(sums(await one.figures())['claude_gateway.errors']).toBe(3)
})

test('what an ended worker counted stays, and what it had under way is gone', async () => {
  const { hosted, worker, sums } = await scene()
  const [one, two] = [await worker(), await worker()]
  one.err(2)
  one.begin(1)
  await one.figures()
  one.end()
  await expect.poll(() => sums(hosted.figures())['claude_gateway.calls.in_flight']).toBeUndefined()
  two.err(1)
  expect(sums(await two.figures())['claude_gateway.errors']).toBe(3)
  expect(await two.live()).toHaveLength(1)
})
