import { expect, test } from 'vitest'
import { createTaskRunner } from '../../core/tasks.ts'
import { MINUTE_MS } from '../../core/units.ts'
import { startApp } from '../support/app.ts'

test('a task that the runtime dropped is begun again when no runtime can be at it any more', async () => {
  const app = await startApp()
  let sweeps = 0
  const sweep = () => {
    sweeps += 1
    return new Promise<void>(() => {})
  }
  const runTasks = createTaskRunner(
    () => ({ ...app.deps, ledger: { ...app.deps.ledger, sweep } }),
    15 * MINUTE_MS,
  )
  void runTasks()
  app.clock.advance(14 * MINUTE_MS)
  void runTasks()
  expect(sweeps).toBe(1)
  app.clock.advance(MINUTE_MS)
  void runTasks()
  expect(sweeps).toBe(2)
  await app.close()
})
