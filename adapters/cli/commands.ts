/** The commands of the command line. They throw a Refusal for invalid arguments. */
import * as z from 'zod'
import type { Config } from '../../config/schema.ts'
import { settingsFrom } from '../../config/settings.ts'
import { COMMAND_LINE } from '../../core/audit/record.ts'
import type { User } from '../../core/auth/account.ts'
import { handOverCode } from '../../core/auth/codes.ts'
import { systemClock } from '../../core/clock.ts'
import { Refusal } from '../../core/errors.ts'
import { type ApiKey, createKey, describedKey, listKeys, updateKey } from '../../core/keys/manage.ts'
import { adoptObject, kindOf, listObjects } from '../../core/objects/manage.ts'
import type { Db } from '../../core/ports.ts'
import { sumUsage } from '../../core/reports/usage-by.ts'
import { DAY_MS, usdOf } from '../../core/units.ts'
import { createUser, findUser, listUsers } from '../../core/users/manage.ts'
import { dollars } from '../../functions/fields.ts'
import { sha256 } from '../drivers/sha256.ts'
import type { Storage } from '../drivers/storage/libsql.ts'

type Values = Partial<Record<'name' | 'quota' | 'budget' | 'expires' | 'by' | 'days' | 'kind', string>> & {
  admin?: boolean
}

export async function createUserAs(db: Db, config: Config, itcode: string | undefined, values: Values) {
  const { limits } = config
  const user = await createUser(
    { db, clock: systemClock, actor: COMMAND_LINE, settings: settingsFrom(config) },
    {
      itcode: needed(itcode, 'ITCODE'),
      name: values.name,
      role: values.admin ? 'admin' : 'user',
      quotaTokens: number(values.quota ?? String(limits.default_quota_tokens), '--quota', z.int().min(0)),
      budgetMicros: number(values.budget ?? String(limits.default_budget_usd), '--budget', dollars),
    },
  )
  console.log(`Created ${user.role} ${user.itcode} (id ${user.id}).`)
}

export async function printUsers(db: Db) {
  const rows = (await listUsers(db)).map(({ id, itcode, name, role, status, quotaTokens, budgetMicros }) => ({
    id,
    itcode,
    name,
    role,
    status,
    quota_tokens: quotaTokens || 'unlimited',
    budget_usd: budgetMicros ? usdOf(budgetMicros) : 'unlimited',
  }))
  table(rows, 'There are no users yet.')
}

export async function handOverCodeTo(db: Db, config: Config, itcode: string | undefined) {
  const user = await knownUser(db, itcode)
  if (user.status === 'disabled') throw new Refusal('account_disabled', `${user.itcode} is disabled.`)
  const parts = { db, clock: systemClock, auth: settingsFrom(config).auth }
  const { code, expiresAt } = await handOverCode(parts, { itcode: user.itcode, actor: COMMAND_LINE })
  console.log(code.replace(/(.{4})(?=.)/g, '$1-'))
  const until = new Date(expiresAt).toISOString().slice(11, 16)
  console.error(`Good for one sign-in as ${user.itcode}, from any browser, until ${until} UTC.`)
}

export async function createKeyFor(db: Db, itcode: string | undefined, values: Values) {
  const expiresAt = values.expires === undefined ? null : Date.parse(values.expires)
  // Negated, so that NaN is refused too.
  if (expiresAt !== null && !(expiresAt > systemClock.now()))
    throw new Refusal('body_invalid', '--expires: a date in the future, such as 2027-01-31, is expected.')
  const user = await knownUser(db, itcode)
  const parts = { db, clock: systemClock, sha256, actor: COMMAND_LINE }
  const { key, secret } = await createKey(parts, {
    userId: user.id,
    name: values.name ?? 'command line',
    expiresAt,
  })
  console.log(secret)
  console.error(`Key ${key.id} for ${user.itcode}. It is shown this once and stored nowhere.`)
}

export async function printKeys(db: Db, itcode: string | undefined) {
  const userId = itcode === undefined ? undefined : (await knownUser(db, itcode)).id
  const rows = (await listKeys(db, userId)).map(
    ({ key, itcode: owner, requests, costMicros, lastUsedAt }) => ({
      id: key.id,
      owner,
      name: key.name,
      key: `${key.prefix}…${key.last4}`,
      status: key.status,
      expires: day(key.expiresAt) ?? 'never',
      last_used: day(lastUsedAt) ?? 'never',
      requests,
      cost_usd: usdOf(costMicros),
    }),
  )
  table(rows, 'There are no keys yet.')
}

export async function disableKey(db: Db, id: string | undefined, status: ApiKey['status']) {
  const parts = { db, clock: systemClock, actor: COMMAND_LINE }
  const keyId = number(needed(id, 'ID'), 'ID', z.int().positive())
  await updateKey(parts, 'admin', keyId, { status })
  const { key } = await describedKey(db, keyId)
  console.log(`Key ${key.id} (${key.prefix}…${key.last4}) is ${key.status}.`)
}

/** Registers an object that was made outside the gateway: it belongs to this user, and calls that name it go to the backend. */
export async function adopt(db: Db, config: Config, given: readonly string[], values: Values) {
  const id = needed(given[0], 'ID')
  const backend = needed(given[1], 'BACKEND')
  const names = config.backends.map(({ name }) => name)
  if (!names.includes(backend)) {
    throw new Refusal('body_invalid', `There is no backend ${backend}; there are ${names.join(', ')}.`)
  }
  const kind = z.enum(['container', 'thread', 'file', 'skill']).safeParse(values.kind ?? kindOf(id))
  if (!kind.success) {
    throw new Refusal(
      'body_invalid',
      '--kind: container, thread, file or skill is expected, as the id does not tell.',
    )
  }
  const user = await knownUser(db, given[2])
  const object = { kind: kind.data, id, backend, userId: user.id }
  await adoptObject({ db, clock: systemClock, actor: COMMAND_LINE }, object)
  console.log(`The ${kind.data} ${id} in ${backend} belongs to ${user.itcode}.`)
}

export async function printObjects(db: Db, itcode: string | undefined) {
  const userId = itcode === undefined ? undefined : (await knownUser(db, itcode)).id
  const rows = (await listObjects(db, userId)).map(
    ({ kind, id, backend, itcode: owner, createdAt, expiresAt }) => ({
      kind,
      id,
      backend,
      owner: owner ?? 'nobody',
      known_since: day(createdAt),
      expires: day(expiresAt) ?? 'never',
    }),
  )
  table(rows, 'No objects are known yet.')
}

export async function printUsage(db: Db, values: Values) {
  const by = z.enum(['user', 'model', 'backend', 'day']).safeParse(values.by ?? 'user')
  if (!by.success) throw new Refusal('body_invalid', '--by: user, model, backend or day is expected.')
  const days = number(values.days ?? '30', '--days', z.int().positive())
  const today = Math.floor(systemClock.now() / DAY_MS) * DAY_MS
  const sums = await sumUsage(db, by.data, today - (days - 1) * DAY_MS)
  const rows = sums.map(({ name, requests, errors, totalTokens, costMicros }) => ({
    [by.data]: name,
    requests,
    errors,
    tokens: totalTokens,
    cost_usd: usdOf(costMicros),
  }))
  table(rows, `No usage in the last ${days} days.`)
}

export async function backup(storage: Storage, file: string) {
  await storage.backup(needed(file, 'FILE'))
  console.log(`Backed up to ${file}.`)
}

async function knownUser(db: Db, itcode: string | undefined): Promise<User> {
  const user = await findUser(db, needed(itcode, 'ITCODE'))
  if (!user)
    throw new Refusal('not_found', `There is no user ${itcode}. Create one with: user create ${itcode}`)
  return user
}

/** Throws a Refusal body_invalid when an argument is missing. */
export function needed(value: string | undefined, name: string): string {
  if (!value) throw new Refusal('body_invalid', `${name} is missing.`)
  return value
}

function number(text: string, name: string, schema: z.ZodType<number>): number {
  const parsed = schema.safeParse(text.trim() === '' ? Number.NaN : Number(text))
  if (!parsed.success) throw new Refusal('body_invalid', `${name}: ${parsed.error.issues[0]?.message}`)
  return parsed.data
}

function day(at: number | null): string | undefined {
  return at === null ? undefined : new Date(at).toISOString().slice(0, 10)
}

function table(rows: object[], none: string) {
  if (rows.length === 0) console.log(none)
  else console.table(rows)
}
