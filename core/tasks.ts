/** Recurring work. Adapters call the TaskRunner as often as their runtime allows; each task has its own interval. */
import { sweepCodes } from './auth/codes.ts'
import { sweepSessions } from './auth/sessions.ts'
import type { Deps } from './deps.ts'
import { sweepObjects } from './objects/manage.ts'
import { createOutage } from './outage.ts'
import { repairSums } from './reports/repair.ts'
import { expireAudit, expireUsage } from './retention/retention.ts'
import type { Settings } from './settings.ts'
import { HOUR_MS } from './units.ts'

type TaskParts = Pick<
  Deps,
  'db' | 'clock' | 'logger' | 'settings' | 'keyCache' | 'balancer' | 'catalogue' | 'ledger' | 'archive'
>

interface Task {
  name: string
  everyMs(settings: Settings): number
  run(parts: TaskParts): Promise<void>
}

const TASKS: readonly Task[] = [
  { name: 'key-cache', everyMs: () => 500, run: ({ keyCache }) => keyCache.refresh() },
  { name: 'health', everyMs: () => 1_000, run: ({ balancer }) => balancer.refresh() },
  { name: 'models', everyMs: () => HOUR_MS, run: ({ catalogue }) => catalogue.refresh() },
  { name: 'ledger', everyMs: () => 30_000, run: ({ ledger }) => ledger.sweep() },
  { name: 'sweep', everyMs: () => HOUR_MS, run: sweep },
  { name: 'retention', everyMs: () => HOUR_MS, run: expire },
  { name: 'usage', everyMs: ({ usageSyncMs }) => usageSyncMs, run: repairUsage },
]

/** Checks this hour and the one before; older ones were checked by earlier runs. */
async function repairUsage({ db, clock, logger }: TaskParts): Promise<void> {
  const start = Math.floor(clock.now() / HOUR_MS - 1) * HOUR_MS
  if (await repairSums(db, start))
    logger.warn('usage.sums_repaired', { since: new Date(start).toISOString() })
}

/** Deletes what has expired. */
async function sweep({ db, clock }: TaskParts): Promise<void> {
  await sweepSessions(db, clock.now())
  await sweepCodes(db, clock.now())
  await sweepObjects(db, clock.now())
}

/** Removes rows that are not to be kept any longer. */
async function expire(parts: TaskParts): Promise<void> {
  const { db, clock, archive, logger, settings } = parts
  const { usage, audit } = settings.keepMs
  const rows = {
    usage: usage === undefined ? 0 : await expireUsage({ db, clock, archive }, usage),
    audit: audit === undefined ? 0 : await expireAudit({ db, clock, archive }, audit),
  }
  if (rows.usage + rows.audit > 0)
    logger.info('retention.removed', { ...rows, archived: archive !== undefined })
}

/** Runs the tasks that are due, none twice at once. Failures are logged, not thrown. */
export type TaskRunner = () => Promise<void>

export function createTaskRunner(parts: TaskParts): TaskRunner {
  const lastRun = new Map<string, number>()
  const running = new Set<string>()
  const events = { failed: 'task.failed', worksAgain: 'task.works_again' }
  const outages = new Map(TASKS.map(({ name }) => [name, createOutage(parts.logger, events)]))
  const runOne = async (task: Task) => {
    running.add(task.name)
    lastRun.set(task.name, parts.clock.elapsed())
    try {
      await task.run(parts)
      outages.get(task.name)?.worked({ task: task.name })
    } catch (cause) {
      outages.get(task.name)?.failed(cause, { task: task.name })
    } finally {
      running.delete(task.name)
    }
  }
  return async () => {
    const now = parts.clock.elapsed()
    const due = TASKS.filter(({ name, everyMs }) => {
      return (
        !running.has(name) && now - (lastRun.get(name) ?? Number.NEGATIVE_INFINITY) >= everyMs(parts.settings)
      )
    })
    await Promise.all(due.map(runOne))
  }
}
