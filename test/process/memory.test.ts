import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

test('two hundred keys with a limit of a million a minute, made, used and deleted, leave no memory behind', async () => {
  const script = join(import.meta.dirname, '../support/memory-process.ts')
  const child = fork(script, ['200'], { execArgv: ['--expose-gc'] })
  const [left] = await once(child, 'message')
  expect(Number(left)).toBeLessThan(6_000_000)
  await once(child, 'exit')
}, 120_000)
