/** What a process does about memory that it has beside its heap, such as that of somebody's export in a thread. */
import { execFileSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'

const { href } = pathToFileURL('adapters/node/memory.ts')

/** Prints which garbage is collected first by order and not by V8's own choice, after memory beside the heap has grown. */
const SCRIPT = `
  import { constants, PerformanceObserver } from 'node:perf_hooks'
  import { collectAsItGrows } from '${href}'
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      if ((detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) === 0) continue
      console.log(detail.kind === constants.NODE_PERFORMANCE_GC_MINOR ? 'young' : 'all')
      process.exit()
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  collectAsItGrows()
  const held = Buffer.alloc(192 * 2 ** 20, 1)
  setInterval(() => held.length, 1_000)`

test('growth beside the heap collects young garbage only, because a whole collection stops every stream', () => {
  const options = { encoding: 'utf8', timeout: 60_000 } as const
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT], options)
  expect(told.trim()).toBe('young')
}, 90_000)

/** Prints the most that the part of the heap for new objects has grown to, in bytes: while much is made that stays, and after. */
const STAYING = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { whatStays } from '${href}'
  const young = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size
  const kept = []
  const make = async () => {
    let most = 0
    for (let i = 0; i < 400; i++) {
      kept.push(Array.from({ length: 1_000 }, (_, at) => ({ at, i })))
      most = Math.max(most, young())
      await new Promise(setImmediate)
    }
    return most
  }
  const during = await whatStays(make)
  await whatStays(() => Promise.reject(new Error())).catch(() => {})
  console.log(JSON.stringify({ during, after: await make(), kept: kept.length }))`

test('what stays is made without a larger heap for what does not, which grows again afterwards', () => {
  const options = { encoding: 'utf8', timeout: 60_000 } as const
  const told = execFileSync(process.execPath, ['--input-type=module', '-e', STAYING], options)
  const { during, after }: { during: number; after: number } = JSON.parse(told)
  expect(after).toBeGreaterThan(4 * during)
}, 90_000)
