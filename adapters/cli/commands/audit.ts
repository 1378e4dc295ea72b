/** The commands that read the audit. */
import { setTimeout } from 'node:timers/promises'
import * as z from 'zod'
import { AUDIT_ACTION_NAMES } from '../../../core/audit/action.ts'
import { auditAfter, auditView, listAudit, newestAuditId } from '../../../core/audit/list.ts'
import { Refusal } from '../../../core/errors.ts'
import { timeText } from '../../../core/units.ts'
import { command, flag, number, type Option, text } from '../command.ts'
import { knownUser } from './find.ts'

const action: Option<string> = {
  value: 'ACTION',
  about: 'only this one, such as user.update',
  schema: z.enum(AUDIT_ACTION_NAMES, `one of ${AUDIT_ACTION_NAMES.join(', ')} is expected.`),
}

/** How often it is looked whether there is more. */
const FOLLOW_MS = 1_000
const AT_ONCE = 500

export const AUDIT = [
  command({
    name: 'audit',
    about:
      'with --follow, prints what happens from now on, each event as a line of JSON, until it is stopped',
    options: {
      follow: flag('goes on until it is stopped'),
      after: number('ID', 'also what came after this event', z.int().min(0)),
    },
    async run({ db, options: { follow, after } }) {
      if (!follow) throw new Refusal('body_invalid', 'Choose --follow, or see: npm run cli -- audit list')
      let last = after ?? (await newestAuditId(db))
      for (;;) {
        const events = await auditAfter(db, last, AT_ONCE)
        for (const event of events) console.log(JSON.stringify(auditView(event)))
        last = events.at(-1)?.id ?? last
        if (events.length < AT_ONCE) await setTimeout(FOLLOW_MS)
      }
    },
  }),
  command({
    name: 'audit list',
    about: 'tells who changed what, the newest first',
    options: {
      limit: number('N', 'how many; 50 if left out', z.int().min(1).max(10_000)),
      actor: text('ITCODE', 'only what this user did'),
      action,
    },
    async run({ db, options }) {
      const { limit = 50, actor, action } = options
      const actorId = actor === undefined ? undefined : (await knownUser(db, actor)).id
      const { events } = await listAudit(db, { actorId, action }, { page: 1, pageSize: limit })
      const rows = events.map((event) => ({
        at: timeText(event.at),
        actor:
          event.actorItcode ?? (event.actorId === null ? 'command line or gateway' : `user ${event.actorId}`),
        action: event.action,
        target: event.target,
        before: event.before && JSON.stringify(event.before),
        after: event.after && JSON.stringify(event.after),
      }))
      return {
        rows,
        columns: ['at', 'actor', 'action', 'target', 'before', 'after'],
        none: 'Nothing is in the audit yet.',
      }
    },
  }),
]
