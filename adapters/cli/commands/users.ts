/** Commands about users. */
import * as z from 'zod'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import type { User } from '../../../core/auth/account.ts'
import { handOverCode } from '../../../core/auth/codes.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { ownAmounts } from '../../../core/limits/spend-limit.ts'
import { listGroups } from '../../../core/organisation/groups.ts'
import type { Db } from '../../../core/ports.ts'
import { joinUser } from '../../../core/scim/users.ts'
import { usdOf } from '../../../core/units.ts'
import { eraseUser } from '../../../core/users/erase.ts'
import { createUser, listUsers, updateUser } from '../../../core/users/manage.ts'
import { deleteUser, releaseName, reviveUser } from '../../../core/users/remove.ts'
import { dollars } from '../../../functions/fields.ts'
import { choice, command, flag, number, text, title } from '../command.ts'
import { knownGroup, knownUser } from './find.ts'

const ROLES = ['user', 'admin', 'billing', 'auditor'] as const
const count = z.int().min(0)
const LIMITS = {
  quota: number('TOKENS', 'tokens in a period; 0 = unlimited', count),
  budget: number('USD', 'what may be spent in a period; 0 = no limit of their own', dollars),
  rpm: number('N', 'requests a minute; 0 = unlimited', count),
  tpm: number('N', 'tokens a minute; 0 = unlimited', count),
  concurrent: number('N', 'requests at once; 0 = unlimited', count),
  'billing-group': text('GROUP', 'the group that their calls are booked to; none = as their groups say'),
}

export const USERS = [
  command({
    name: 'user create',
    args: ['ITCODE'],
    about: 'makes a user, who can sign in at once',
    options: {
      name: title('how lists show them'),
      role: choice(ROLES, 'what they may do on the dashboard'),
      admin: flag('the same as --role admin'),
      service: flag('a service account, which a program uses; its calls are booked to --billing-group'),
      ...LIMITS,
    },
    async run({ db, config, args: [itcode = ''], options }) {
      const settings = settingsFrom(config)
      const { quota = settings.limits.defaultQuotaTokens, budget = 0, rpm, tpm, concurrent } = options
      const { period } = settings.limits
      const user = await createUser(
        { db, clock: systemClock, actor: COMMAND_LINE, settings },
        {
          itcode,
          name: options.name,
          role: options.role ?? (options.admin ? 'admin' : 'user'),
          quotaTokens: quota,
          kind: options.service ? 'service' : 'person',
          ownLimit: { micros: budget, period },
          requestsPerMinute: rpm,
          tokensPerMinute: tpm,
          concurrentRequests: concurrent,
          billingGroupId: await groupId(db, options['billing-group']),
        },
      )
      const { id, role } = user
      return { said: `Created ${role} ${user.itcode} (id ${id}).`, fields: { id, itcode: user.itcode, role } }
    },
  }),
  command({
    name: 'user update',
    args: ['ITCODE'],
    about: 'changes a user, from their next request on',
    options: {
      name: title('how lists show them'),
      role: choice(ROLES, 'what they may do on the dashboard'),
      status: choice(['active', 'disabled'], 'disabled: sessions end, keys are refused'),
      ...LIMITS,
    },
    async run({ db, config, args: [itcode = ''], options }) {
      const { id } = await knownUser(db, itcode)
      const { name, role, status, quota, budget, rpm, tpm, concurrent } = options
      const { period } = settingsFrom(config).limits
      const change = {
        name,
        role,
        status,
        quotaTokens: quota,
        ownLimit: budget === undefined ? undefined : { micros: budget, period },
        requestsPerMinute: rpm,
        tokensPerMinute: tpm,
        concurrentRequests: concurrent,
        billingGroupId: await groupId(db, options['billing-group']),
      }
      if (Object.values(change).every((value) => value === undefined)) {
        throw new Refusal('body_invalid', 'Nothing to change. See: npm run cli -- user update --help')
      }
      const user = await updateUser({ db, clock: systemClock, actor: COMMAND_LINE }, id, change)
      const fields = { id, itcode: user.itcode, name: user.name, role: user.role, status: user.status }
      return { said: `Changed ${user.role} ${user.itcode}, who is ${user.status}.`, fields }
    },
  }),
  command({
    name: 'user list',
    about: 'lists all users',
    async run({ db, config }) {
      const [people, groups] = await Promise.all([listUsers(db), listGroups(db)])
      const ids = people.map(({ id }) => id)
      const limits = await ownAmounts(db, ids, settingsFrom(config).limits.period)
      const groupNames = new Map(groups.map(({ id, name }) => [id, name]))
      const rows = people.map((user) => ({
        id: user.id,
        itcode: user.itcode,
        name: user.name,
        role: user.role,
        kind: user.kind,
        status: user.status,
        billing_group: user.billingGroupId === null ? null : (groupNames.get(user.billingGroupId) ?? null),
        quota_tokens: user.quotaTokens || 'unlimited',
        budget_usd: usdOf(limits.get(user.id) ?? 0) || 'none',
      }))
      return {
        rows,
        columns: [
          'id',
          'itcode',
          'name',
          'role',
          'kind',
          'status',
          'billing_group',
          'quota_tokens',
          'budget_usd',
        ],
        none: 'There are no users yet.',
      }
    },
  }),
  command({
    name: 'user code',
    args: ['ITCODE'],
    about: 'prints a code to sign in with, from any browser',
    async run({ db, config, args: [itcode = ''] }) {
      const user = await knownUser(db, itcode)
      if (user.status === 'disabled') throw new Refusal('account_disabled', `${user.itcode} is disabled.`)
      const parts = { db, clock: systemClock, auth: settingsFrom(config).auth }
      const handed = await handOverCode(parts, { itcode: user.itcode, actor: COMMAND_LINE })
      const code = handed.code.replace(/(.{4})(?=.)/g, '$1-')
      const until = new Date(handed.expiresAt).toISOString()
      return {
        said: code,
        note: `Good for one sign-in as ${user.itcode}, from any browser, until ${until.slice(11, 16)} UTC.`,
        fields: { code, itcode: user.itcode, expires_at: until },
      }
    },
  }),
  command({
    name: 'user scim',
    args: ['ITCODE'],
    about: 'hands an account over to the directory, which keeps it by SCIM from then on',
    options: {
      'user-name': text('NAME', 'what the directory calls them; else their address'),
      'external-id': text('ID', 'their id in the directory'),
    },
    async run({ db, config, args: [itcode = ''], options }) {
      const { id } = await knownUser(db, itcode)
      const parts = { db, clock: systemClock, actor: COMMAND_LINE, auth: settingsFrom(config).auth }
      await joinUser(parts, id, { userName: options['user-name'], externalId: options['external-id'] })
      return { said: `The directory keeps ${itcode} from now on.`, fields: { id, itcode } }
    },
  }),
  command({
    name: 'user delete',
    args: ['ITCODE'],
    about: 'deletes a user: sessions, keys and memberships end for good, the name stays taken',
    run: ({ db, args: [itcode = ''] }) =>
      gone(db, itcode, async (parts, user) => {
        await deleteUser(parts, user.id)
        return { said: `Deleted ${user.itcode} (id ${user.id}).`, itcode: user.itcode }
      }),
  }),
  command({
    name: 'user revive',
    args: ['ITCODE'],
    about: 'brings a deleted user back, as a plain user without keys and groups',
    run: ({ db, config, args: [itcode = ''] }) =>
      gone(db, itcode, async (parts, user) => {
        const revived = await reviveUser({ ...parts, auth: settingsFrom(config).auth }, user.id)
        return { said: `${revived.itcode} is back.`, itcode: revived.itcode }
      }),
  }),
  command({
    name: 'user release',
    args: ['ITCODE'],
    about: 'frees the name of a user who was deleted, or whose mail goes elsewhere, for somebody else',
    run: ({ db, config, args: [itcode = ''] }) =>
      gone(db, itcode, async (parts, user) => {
        const released = await releaseName({ ...parts, auth: settingsFrom(config).auth }, user.id)
        return {
          said: `The name ${user.itcode} is free. Its former owner is ${released.itcode}.`,
          itcode: released.itcode,
        }
      }),
  }),
  command({
    name: 'user erase',
    args: ['ITCODE'],
    about: 'replaces name, addresses and IP addresses of a deleted user by a pseudonym, for good',
    run: ({ db, args: [itcode = ''] }) =>
      gone(db, itcode, async (parts, user) => {
        const { pseudonym } = await eraseUser(parts, user.id)
        return {
          said: `${user.itcode} is ${pseudonym} everywhere. Their calls keep the id.`,
          itcode: pseudonym,
        }
      }),
  }),
]

type Done = { said: string; itcode: string }

/** Runs what ends or brings back an account; a released one is named as name#id. */
async function gone(
  db: Db,
  itcode: string,
  act: (
    parts: { db: Db; clock: typeof systemClock; actor: typeof COMMAND_LINE },
    user: User,
  ) => Promise<Done>,
) {
  const user = await knownUser(db, itcode)
  const done = await act({ db, clock: systemClock, actor: COMMAND_LINE }, user)
  return { said: done.said, fields: { id: user.id, itcode: done.itcode } }
}

async function groupId(db: Db, name: string | undefined): Promise<number | null | undefined> {
  if (name === undefined) return undefined
  return name === 'none' ? null : (await knownGroup(db, name)).id
}
