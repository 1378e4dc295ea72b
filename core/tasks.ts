/** Recurring work. Adapters call the TaskRunner as often as their runtime allows; each task has its own interval. */
import { sweepCodes } from './auth/codes.ts'
import { sweepSessions } from './auth/sessions.ts'
import { renewCredentials } from './backends/credentials.ts'
import { renewBackendSecrets } from './backends/stored.ts'
import { bookBatches } from './batches/book.ts'
import { sweepBatches } from './batches/store.ts'
import type { Deps } from './deps.ts'
import { sweepGrants } from './devices/authorize.ts'
import { sweepRefreshTokens } from './devices/refresh.ts'
import { renewTokens } from './identity/manage.ts'
import { askProviders } from './identity/refresh.ts'
import { sweepNotices } from './notices/deliveries.ts'
import { remindOfKeys, remindOfModels } from './notices/reminders.ts'
import { renewTargets } from './notices/target.ts'
import { sweepObjects } from './objects/manage.ts'
import { createOutage } from './outage.ts'
import { reconcile } from './reports/reconcile.ts'
import { repairSums } from './reports/repair.ts'
import { pruneSpent, repairSpent } from './reports/repair-groups.ts'
import { expireAudit, expireUsage } from './retention/retention.ts'
import type { Settings } from './settings.ts'
import { sweepPoints } from './telemetry/daily-sums.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './units.ts'

type TaskParts = Pick<
  Deps,
  | 'db'
  | 'clock'
  | 'logger'
  | 'settings'
  | 'keyCache'
  | 'balancer'
  | 'catalogue'
  | 'ledger'
  | 'archive'
  | 'periods'
  | 'logins'
  | 'secrets'
  | 'courier'
  | 'prices'
  | 'telemetry'
  | 'metrics'
  | 'upstream'
  | 'objects'
  | 'fleet'
> &
  Partial<Pick<Deps, 'credentialsOf'>>

interface Task {
  name: string
  everyMs(settings: Settings): number
  run(parts: TaskParts): Promise<void>
}

/** How often it is looked which batches may have ended. */
const BATCHES_MS = 5_000
/** A task is due so much earlier, because timers of runtimes are not exact and it would else wait for the next one. */
const EARLY_MS = 50
/** How long a notice may wait before it is sent. */
const NOTICES_MS = 2_000

const TASKS: readonly Task[] = [
  { name: 'key-cache', everyMs: () => 500, run: ({ keyCache }) => keyCache.refresh() },
  { name: 'backends', everyMs: () => 500, run: ({ fleet }) => fleet.refresh() },
  { name: 'health', everyMs: () => 1_000, run: ({ balancer }) => balancer.refresh() },
  { name: 'models', everyMs: () => HOUR_MS, run: ({ catalogue }) => catalogue.refresh() },
  { name: 'ledger', everyMs: () => 30_000, run: ({ ledger }) => ledger.sweep() },
  { name: 'identities', everyMs: () => MINUTE_MS, run: askProviders },
  { name: 'credentials', everyMs: () => MINUTE_MS, run: renewCredentials },
  { name: 'notices', everyMs: () => NOTICES_MS, run: ({ courier }) => courier.run() },
  { name: 'telemetry', everyMs: () => 1_000, run: ({ telemetry }) => telemetry.run() },
  { name: 'batches', everyMs: () => BATCHES_MS, run: bookBatches },
  { name: 'reminders', everyMs: () => HOUR_MS, run: remind },
  { name: 'reconciliation', everyMs: () => HOUR_MS, run: reconcile },
  { name: 'secrets', everyMs: () => DAY_MS, run: renewSecrets },
  { name: 'sweep', everyMs: () => HOUR_MS, run: sweep },
  { name: 'retention', everyMs: () => HOUR_MS, run: expire },
  { name: 'usage', everyMs: ({ usageSyncMs }) => usageSyncMs, run: repairUsage },
]

/** Checks this hour and the one before; older ones were checked by earlier runs. */
async function repairUsage({ db, clock, logger, periods }: TaskParts): Promise<void> {
  const start = Math.floor(clock.now() / HOUR_MS - 1) * HOUR_MS
  if (await repairSums(db, start))
    logger.warn('usage.sums_repaired', { since: new Date(start).toISOString() })
  if (await repairSpent(db, periods, clock.now())) logger.warn('limits.spent_repaired', {})
}

async function remind(parts: TaskParts): Promise<void> {
  await remindOfKeys(parts)
  await remindOfModels(parts)
}

/** After a new secrets.key. */
async function renewSecrets(parts: TaskParts): Promise<void> {
  const tokens = await renewTokens(parts)
  const channels = await renewTargets(parts)
  const backends = await renewBackendSecrets(parts)
  if (tokens + channels + backends > 0) parts.logger.info('secrets.renewed', { tokens, channels, backends })
}

/** Deletes what has expired. */
async function sweep({ db, clock }: TaskParts): Promise<void> {
  await sweepSessions(db, clock.now())
  await sweepCodes(db, clock.now())
  await sweepObjects(db, clock.now())
  await sweepBatches(db, clock.now())
  await sweepNotices(db, clock.now())
  await sweepGrants(db, clock.now())
  await sweepRefreshTokens(db, clock.now())
  await sweepPoints(db, clock.now())
}

/** Removes rows that are not to be kept any longer. */
async function expire(parts: TaskParts): Promise<void> {
  const { db, clock, archive, logger, settings, periods } = parts
  await pruneSpent(db, periods, clock.now())
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

/**
 * `inForce`: what tasks that begin now work with. `longestMs`: how long the runtime lets work go on. What began before has been
 * dropped without a word, so that its task is begun again.
 */
export function createTaskRunner(inForce: () => TaskParts, longestMs = Number.POSITIVE_INFINITY): TaskRunner {
  const { logger, clock } = inForce()
  /** By name, with when they began. */
  const lastRun = new Map<string, number>()
  const running = new Map<string, number>()
  const events = { failed: 'task.failed', worksAgain: 'task.works_again' }
  const outages = new Map(TASKS.map(({ name }) => [name, createOutage(logger, events)]))
  const runOne = async (task: Task) => {
    const startedAt = clock.elapsed()
    running.set(task.name, startedAt)
    lastRun.set(task.name, startedAt)
    try {
      await task.run(inForce())
      outages.get(task.name)?.worked({ task: task.name })
    } catch (cause) {
      outages.get(task.name)?.failed(cause, { task: task.name })
    } finally {
      if (running.get(task.name) === startedAt) running.delete(task.name)
    }
  }
  return async () => {
    const now = clock.elapsed()
    const { settings } = inForce()
    const due = TASKS.filter(({ name, everyMs }) => {
      const since = running.get(name)
      const isRunning = since !== undefined && now - since < longestMs
      return (
        !isRunning && now - (lastRun.get(name) ?? Number.NEGATIVE_INFINITY) >= everyMs(settings) - EARLY_MS
      )
    })
    await Promise.all(due.map(runOne))
  }
}
