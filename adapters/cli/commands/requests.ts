/** Commands about what people ask for: models and higher limits. */
import type { Config } from '../../../config/schema.ts'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import type { Db } from '../../../core/ports.ts'
import { review } from '../../../core/requests/decide.ts'
import { decideIncrease, listIncreases } from '../../../core/requests/increases.ts'
import { listApplications } from '../../../core/requests/list.ts'
import { timeText, usdOf } from '../../../core/units.ts'
import { amount } from '../../../functions/fields.ts'
import { pricesFrom } from '../../shared/tables.ts'
import { command, flag, number, remark } from '../command.ts'
import { futureTime } from './find.ts'

const OPTIONS = { note: remark('what the person reads') }
/** `model-7` or `limit-7`, as request list shows it. */
const ID = /^(model|limit)-([1-9]\d{0,14})$/
const parts = (db: Db) => ({ db, clock: systemClock, actor: COMMAND_LINE })

export const REQUESTS = [
  command({
    name: 'request list',
    about: 'lists what people ask for: models and higher limits',
    options: { all: flag('also what is decided') },
    async run({ db, options: { all } }) {
      const status = all ? undefined : ('pending' as const)
      const [models, limits] = await Promise.all([
        listApplications(db, { status }),
        listIncreases(db, { status }),
      ])
      const rows = [
        ...models.map(({ id, model, ...one }) => ({
          at: one.createdAt,
          id: `model-${id}`,
          asks: model,
          ...one,
        })),
        ...limits.map(({ id, period, amountMicros, ...one }) => ({
          ...one,
          at: one.createdAt,
          id: `limit-${id}`,
          asks: `$${usdOf(amountMicros)} ${period}`,
        })),
      ].toSorted((one, other) => other.at - one.at)
      return {
        rows: rows.map(({ id, itcode, asks, reason, status, at }) => ({
          id,
          itcode,
          asks,
          reason,
          status,
          asked_at: timeText(at),
        })),
        columns: ['id', 'itcode', 'asks', 'reason', 'status', 'asked_at'],
        none: 'Nobody waits for a decision.',
      }
    },
  }),
  command({
    name: 'request approve',
    args: ['ID'],
    about: 'grants a request; it holds from the next call on',
    options: {
      ...OPTIONS,
      amount: number('USD', 'another amount than was asked for', amount),
      until: futureTime('holds only until then'),
    },
    run: ({ db, config, args: [id = ''], options }) =>
      decide({ db, config }, id, { status: 'approved', ...options }),
  }),
  command({
    name: 'request reject',
    args: ['ID'],
    about: 'refuses a request',
    options: OPTIONS,
    run: ({ db, config, args: [id = ''], options }) =>
      decide({ db, config }, id, { status: 'rejected', ...options }),
  }),
]

async function decide(
  { db, config }: { db: Db; config: Config },
  given: string,
  {
    status,
    note = null,
    amount,
    until,
  }: { status: 'approved' | 'rejected'; note?: string | null; amount?: number; until?: number },
) {
  const [, kind, digits] = ID.exec(given) ?? []
  if (kind === undefined) throw new Refusal('body_invalid', 'ID: such as limit-7; request list shows them.')
  const id = Number(digits)
  const decision = { reviewerId: null, status, note }
  const { itcode } =
    kind === 'model'
      ? await review({ ...parts(db), prices: pricesFrom(config) }, id, decision)
      : await decideIncrease({ ...parts(db), settings: settingsFrom(config) }, id, {
          ...decision,
          amountMicros: amount,
          until,
        })
  return { said: `The request ${given} of ${itcode} is ${status}.`, fields: { id: given, itcode, status } }
}
