/** Signing in without HTTP: a database in memory, a clock that stands still, mail that is kept. */
import { sha256 } from '../../adapters/drivers/sha256.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import type { Asker } from '../../core/auth/codes.ts'
import { createSignInLimits } from '../../core/auth/sign-in-limits.ts'
import { auditEvents, loginCodes, sessions, users } from '../../core/db/schema.ts'
import type { Mail } from '../../core/ports.ts'
import { load, MINIMAL } from '../unit/config/settings.ts'
import { fakeClock } from './clock.ts'
import { keptLogs } from './logs.ts'
import type { OpenedStore } from './memory-store.ts'

export const ASKER: Asker = { itcode: 'ann', browser: 'browser-1', ip: '192.0.2.1' }

/** Empties the store. `auth` is that section of a configuration file. */
export async function signInScene({ db }: OpenedStore, auth: object = {}, limits: object = {}) {
  for (const table of [loginCodes, sessions, auditEvents, users]) await db.delete(table)
  const clock = fakeClock()
  const logger = keptLogs()
  const settings = settingsFrom(load({ ...MINIMAL, auth: { ...MINIMAL.auth, ...auth }, limits }))
  const mails: Mail[] = []
  const pending: Promise<unknown>[] = []
  const mail: { fails: boolean } = { fails: false }
  const parts = { db, clock, auth: settings.auth }
  const deps = {
    db,
    clock,
    settings,
    logger,
    sha256,
    signInLimits: createSignInLimits(clock),
    logins: [],
    mailer: {
      delivers: true,
      async send(sent: Mail) {
        if (mail.fails) throw new Error('no mail today')
        mails.push(sent)
      },
    },
    waitUntil: (work: Promise<unknown>) => void pending.push(work),
  }
  const addUser = async (itcode: string, given: Partial<typeof users.$inferInsert> = {}) => {
    const row = {
      itcode,
      name: '',
      role: 'user',
      status: 'active',
      createdAt: 1,
      updatedAt: 1,
      ...given,
    } as const
    const [user] = await db.insert(users).values(row).returning()
    if (!user) throw new Error('no row')
    return user
  }
  const request = (given: object = {}) => ({
    ...ASKER,
    inviteCode: undefined,
    invitation: undefined,
    actor: { ...COMMAND_LINE, requestId: 'req_1' },
    userAgent: 'test',
    previous: undefined,
    ...given,
  })
  const audited = async () => {
    const rows = await db.select().from(auditEvents).orderBy(auditEvents.id)
    return rows.map(({ action, target, actorId }) => ({ action, target, actorId }))
  }
  const settled = async () => {
    while (pending.length > 0) await Promise.all(pending.splice(0))
  }
  return { db, clock, logger, settings, mails, mail, parts, deps, addUser, request, audited, settled }
}
