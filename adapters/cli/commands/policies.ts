/** Commands about policies: what Claude Code runs with for the people of a group. */
import { readFileSync } from 'node:fs'
import { eq } from 'drizzle-orm'
import * as z from 'zod'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { groups, users } from '../../../core/db/schema.ts'
import { Refusal } from '../../../core/errors.ts'
import { parsedJson } from '../../../core/json/parse.ts'
import { checkSettings } from '../../../core/policies/check.ts'
import {
  createPolicy,
  deletePolicy,
  listPolicies,
  rollBackPolicy,
  updatePolicy,
  versionsOf,
} from '../../../core/policies/manage.ts'
import type { Policy } from '../../../core/policies/match.ts'
import { policiesOfPerson } from '../../../core/policies/person.ts'
import type { Db } from '../../../core/ports.ts'
import { timeText } from '../../../core/units.ts'
import { command, number, text, titleIn } from '../command.ts'
import { idIn, knownGroup, knownUser } from './find.ts'

const PRIORITY = 100
const Document = z.record(z.string(), z.unknown())
const parts = (db: Db) => ({ db, clock: systemClock, actor: COMMAND_LINE })

export const POLICIES = [
  command({
    name: 'policy list',
    about: 'lists the policies of Claude Code by priority; the first that matches a person counts',
    async run({ db }) {
      const rows = await Promise.all((await listPolicies(db)).map((policy) => rowOf(db, policy)))
      return { rows, columns: ['id', 'name', 'priority', 'for'], none: 'There are no policies yet.' }
    },
  }),
  command({
    name: 'policy show',
    args: ['POLICY'],
    about: 'prints the settings of a policy',
    run: async ({ db, args: [name = ''] }) => shown(db, await knownPolicy(db, name)),
  }),
  command({
    name: 'policy apply',
    args: ['POLICY', 'FILE'],
    about: 'makes or changes a policy from a file of managed settings (JSON); - reads standard input',
    options: {
      groups: text('GROUPS', 'names of the groups it is for, with commas between them; none = no group'),
      domains: text('DOMAINS', 'mail domains it is for, the same; neither = for everybody'),
      priority: number(
        'N',
        `the lowest that matches counts; ${PRIORITY} if left out`,
        z.int().min(0).max(1_000_000),
      ),
    },
    async run({ db, args: [wanted, file = ''], options }) {
      const name = titleIn(wanted)
      const change = {
        settings: settingsIn(file),
        priority: options.priority,
        domains: listIn(options.domains?.toLowerCase()),
        groupIds: await groupIdsOf(db, listIn(options.groups)),
      }
      const before = (await listPolicies(db)).find((policy) => policy.name === name)
      const { settings, priority = PRIORITY, domains = [], groupIds = [] } = change
      const policy = before
        ? await updatePolicy(parts(db), before.id, change)
        : await createPolicy(parts(db), { name, settings, priority, domains, groupIds })
      const warnings = checkSettings(policy.settings).warnings.map(({ message }) => message)
      return {
        said: `${before ? 'Changed' : 'Made'} policy ${name}. Claude Code has it within the hour, or when it starts.`,
        fields: { ...(await rowOf(db, policy)), settings: policy.settings, warnings },
        ...(warnings.length > 0 ? { note: warnings.join('\n') } : {}),
      }
    },
  }),
  command({
    name: 'policy preview',
    args: ['ITCODE'],
    about: 'prints what a person runs Claude Code with, and by which policies',
    async run({ db, config, args: [itcode = ''] }) {
      const { id } = await knownUser(db, itcode)
      const matched = await policiesOfPerson({ db, settings: settingsFrom(config) }, id)
      if (!matched) return { said: `No policy is for ${itcode}.`, fields: { policies: [], settings: null } }
      const names = matched.policies.map(({ name }) => name)
      const derived = Object.hasOwn(matched.settings, 'availableModels')
        ? ''
        : ' The server adds availableModels: the models that the person may use.'
      return {
        said: JSON.stringify(matched.settings, null, 2),
        fields: { policies: names, settings: matched.settings },
        note: `By ${names.join(' over ')}.${derived}`,
      }
    },
  }),
  command({
    name: 'policy history',
    args: ['POLICY'],
    about: 'lists what a policy was, newest first',
    async run({ db, args: [name = ''] }) {
      const { id } = await knownPolicy(db, name)
      const rows = (await versionsOf(db, id)).map(async ({ version, policy }) => ({
        version: version.id,
        at: timeText(version.createdAt),
        by: await nameOf(db, version.actorId),
        name: policy.name,
        priority: policy.priority,
        settings: JSON.stringify(policy.settings),
      }))
      return {
        rows: await Promise.all(rows),
        columns: ['version', 'at', 'by', 'name', 'priority', 'settings'],
        none: 'There is none.',
      }
    },
  }),
  command({
    name: 'policy rollback',
    args: ['POLICY', 'VERSION'],
    about: 'takes a policy back to a version that policy history shows',
    async run({ db, args: [name = '', version = ''] }) {
      const { id } = await knownPolicy(db, name)
      const policy = await rollBackPolicy(parts(db), id, idIn(version, 'version'))
      return {
        said: `Policy ${policy.name} is as in version ${version}.`,
        fields: { ...(await rowOf(db, policy)), settings: policy.settings },
      }
    },
  }),
  command({
    name: 'policy delete',
    args: ['POLICY'],
    about: 'deletes a policy',
    async run({ db, args: [name = ''] }) {
      const { id } = await knownPolicy(db, name)
      await deletePolicy(parts(db), id)
      return { said: `Deleted policy ${name}.`, fields: { id, name } }
    },
  }),
]

/** Throws a Refusal not_found. */
async function knownPolicy(db: Db, name: string): Promise<Policy> {
  const found = (await listPolicies(db)).find((policy) => policy.name === name)
  if (!found) throw new Refusal('not_found', `There is no policy ${name}. See: policy list`)
  return found
}

async function rowOf(db: Db, { id, name, priority, groupIds, domains }: Policy) {
  const all = await db.select({ id: groups.id, name: groups.name }).from(groups)
  const names = all.filter((group) => groupIds.includes(group.id)).map((group) => group.name)
  const isFor = [...names, ...domains.map((domain) => `@${domain}`)].join(', ')
  return { id, name, priority, for: isFor || 'everybody' }
}

async function shown(db: Db, policy: Policy) {
  const said = JSON.stringify(policy.settings, null, 2)
  return { said, fields: { ...(await rowOf(db, policy)), settings: policy.settings } }
}

async function nameOf(db: Db, userId: number | null): Promise<string> {
  if (userId === null) return 'command line'
  const [user] = await db.select({ itcode: users.itcode }).from(users).where(eq(users.id, userId))
  return user?.itcode ?? String(userId)
}

async function groupIdsOf(db: Db, names: readonly string[] | undefined): Promise<number[] | undefined> {
  return names && Promise.all(names.map(async (name) => (await knownGroup(db, name)).id))
}

/** What was typed, with commas between; undefined where nothing was. */
function listIn(typed: string | undefined): string[] | undefined {
  if (typed === undefined) return undefined
  return typed === 'none' ? [] : typed.split(',').map((one) => one.trim())
}

/** Throws a Refusal: not_found, body_invalid. */
function settingsIn(file: string): Record<string, unknown> {
  let content: string
  try {
    content = readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch {
    throw new Refusal('not_found', `There is no file ${file}.`)
  }
  const document = Document.safeParse(parsedJson(content))
  if (!document.success) throw new Refusal('body_invalid', `${file}: an object of JSON is expected.`)
  return document.data
}
