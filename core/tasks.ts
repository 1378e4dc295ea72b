/** Recurring work. Adapters call `runDueTasks` as often as their runtime allows; each task keeps its own pace. */
import type { Deps } from './deps.ts'

interface Task {
  name: string
  everyMs: number
  run(deps: Deps): Promise<void>
}

const TASKS: readonly Task[] = [
  { name: 'directory', everyMs: 500, run: ({ directory }) => directory.refresh() },
  { name: 'checks', everyMs: 200, run: ({ catalogue }) => catalogue.checkDue() },
  { name: 'health', everyMs: 1_000, run: ({ balancer }) => balancer.refresh() },
]

/** A runner for these deps: starts what is due, never the same task twice at once. A failure is logged, not thrown. */
export function createTaskRunner(deps: Deps): () => Promise<void> {
  const lastRun = new Map<string, number>()
  const running = new Set<string>()
  const runOne = async (task: Task) => {
    running.add(task.name)
    lastRun.set(task.name, deps.clock.elapsed())
    try {
      await task.run(deps)
    } catch (cause) {
      deps.logger.error('task.failed', { task: task.name, cause: String(cause) })
    } finally {
      running.delete(task.name)
    }
  }
  return async () => {
    const now = deps.clock.elapsed()
    const due = TASKS.filter(({ name, everyMs }) => {
      return !running.has(name) && now - (lastRun.get(name) ?? Number.NEGATIVE_INFINITY) >= everyMs
    })
    await Promise.all(due.map(runOne))
  }
}
