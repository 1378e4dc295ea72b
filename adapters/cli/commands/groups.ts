/** Commands about groups: who is in them, and what they open and close. */
import * as z from 'zod'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import {
  createGroup,
  deleteGroup,
  type GroupChange,
  listGroups,
  updateGroup,
} from '../../../core/organisation/groups.ts'
import { listMembers, memberCounts, removeMember, setMember } from '../../../core/organisation/members.ts'
import { groupModelsOf, setGroupModels } from '../../../core/organisation/models.ts'
import type { Db } from '../../../core/ports.ts'
import { adoptGroup } from '../../../core/scim/groups.ts'
import { usdOf } from '../../../core/units.ts'
import { amount } from '../../../functions/fields.ts'
import { choice, command, flag, number, text, title, titleIn } from '../command.ts'
import { knownGroup, knownUser } from './find.ts'

const YES_NO = ['yes', 'no'] as const
const count = z.int().min(0)
const SETTINGS = {
  parent: text('GROUP', 'the group above it; none = it has none'),
  bills: choice(YES_NO, 'whether calls can be booked to it'),
  priority: number(
    'N',
    'the lowest wins where one of several groups must; 100 if left out',
    count.max(1_000_000),
  ),
  'lead-max': number('USD', 'the highest limit that its leads may give', amount),
  'leads-add': choice(YES_NO, 'whether its leads may add members'),
  rpm: number('N', 'requests a minute of each member; 0 = unlimited', count),
  tpm: number('N', 'tokens a minute of each member; 0 = unlimited', count),
  concurrent: number('N', 'requests at once of each member; 0 = unlimited', count),
}
interface Given {
  parent?: string
  bills?: 'yes' | 'no'
  priority?: number
  'lead-max'?: number
  'leads-add'?: 'yes' | 'no'
  rpm?: number
  tpm?: number
  concurrent?: number
}

const parts = (db: Db) => ({ db, clock: systemClock, actor: COMMAND_LINE })

async function changeOf(db: Db, given: Given): Promise<GroupChange> {
  const { parent, bills, priority, rpm, tpm, concurrent } = given
  const leadsAdd = given['leads-add']
  const change: GroupChange = {
    parentId: parent === undefined ? undefined : parent === 'none' ? null : (await knownGroup(db, parent)).id,
    bills: bills === undefined ? undefined : bills === 'yes',
    priority,
    leadMaxMicros: given['lead-max'],
    leadsAdd: leadsAdd === undefined ? undefined : leadsAdd === 'yes',
    requestsPerMinute: rpm,
    tokensPerMinute: tpm,
    concurrentRequests: concurrent,
  }
  return change
}

export const GROUPS = [
  command({
    name: 'group create',
    args: ['GROUP'],
    about: 'makes a group',
    options: SETTINGS,
    async run({ db, args: [wanted], options }) {
      const name = titleIn(wanted)
      const { id } = await createGroup(parts(db), { ...(await changeOf(db, options)), name })
      return { said: `Made group ${name} (id ${id}).`, fields: { id, name } }
    },
  }),
  command({
    name: 'group update',
    args: ['GROUP'],
    about: 'changes a group',
    options: { name: title('its new name'), ...SETTINGS },
    async run({ db, args: [name = ''], options }) {
      const { id } = await knownGroup(db, name)
      const change: GroupChange = { ...(await changeOf(db, options)), name: options.name }
      if (Object.values(change).every((value) => value === undefined)) {
        throw new Refusal('body_invalid', 'Nothing to change. See: npm run cli -- group update --help')
      }
      const group = await updateGroup(parts(db), id, change)
      return { said: `Changed group ${group.name}.`, fields: { id, name: group.name } }
    },
  }),
  command({
    name: 'group delete',
    args: ['GROUP'],
    about: 'deletes a group; what was booked to it stays',
    async run({ db, args: [name = ''] }) {
      const { id } = await knownGroup(db, name)
      await deleteGroup(parts(db), id)
      return { said: `Deleted group ${name}.`, fields: { id, name } }
    },
  }),
  command({
    name: 'group scim',
    args: ['GROUP'],
    about: 'hands a group over to the directory, which keeps its members by SCIM from then on',
    options: { 'external-id': text('ID', 'its id in the directory') },
    async run({ db, args: [name = ''], options }) {
      const { id } = await knownGroup(db, name)
      await adoptGroup(parts(db), id, options['external-id'] ?? null)
      return { said: `The directory keeps the group ${name} from now on.`, fields: { id, name } }
    },
  }),
  command({
    name: 'group list',
    about: 'lists all groups',
    async run({ db }) {
      const [groups, counts] = await Promise.all([listGroups(db), memberCounts(db)])
      const names = new Map(groups.map(({ id, name }) => [id, name]))
      const rows = groups.map((group) => ({
        id: group.id,
        name: group.name,
        source: group.source,
        bills: group.bills,
        parent: group.parentId === null ? null : (names.get(group.parentId) ?? null),
        priority: group.priority,
        members: counts.get(group.id)?.members ?? 0,
        leads: counts.get(group.id)?.leads ?? 0,
        lead_max_usd: usdOf(group.leadMaxMicros),
        leads_add: group.leadsAdd,
      }))
      return {
        rows,
        columns: [
          'id',
          'name',
          'source',
          'bills',
          'parent',
          'priority',
          'members',
          'leads',
          'lead_max_usd',
          'leads_add',
        ],
        none: 'There are no groups yet.',
      }
    },
  }),
  command({
    name: 'group members',
    args: ['GROUP'],
    about: 'lists who is in a group',
    async run({ db, args: [name = ''] }) {
      const { id } = await knownGroup(db, name)
      const rows = (await listMembers(db, id)).map((member) => ({
        itcode: member.itcode,
        name: member.name,
        role: member.role,
      }))
      return { rows, columns: ['itcode', 'name', 'role'], none: `Nobody is in ${name} yet.` }
    },
  }),
  command({
    name: 'group add',
    args: ['GROUP', 'ITCODE…'],
    about: 'adds people to a group; who is in it stays what they are',
    options: { lead: flag('as leads') },
    async run({ db, args: [name = '', ...itcodes], options: { lead } }) {
      const { id } = await knownGroup(db, name)
      const people = await Promise.all(itcodes.map((itcode) => knownUser(db, itcode)))
      for (const person of people) await setMember(parts(db), id, person.id, lead ? 'lead' : undefined)
      const added = people.map(({ itcode }) => itcode)
      return {
        said: `${added.join(', ')} in ${name}${lead ? ' as lead' : ''}.`,
        fields: { group: name, lead, itcodes: added },
      }
    },
  }),
  command({
    name: 'group remove',
    args: ['GROUP', 'ITCODE…'],
    about: 'takes people out of a group',
    async run({ db, args: [name = '', ...itcodes] }) {
      const { id } = await knownGroup(db, name)
      const people = await Promise.all(itcodes.map((itcode) => knownUser(db, itcode)))
      for (const person of people) await removeMember(parts(db), id, person.id)
      const removed = people.map(({ itcode }) => itcode)
      return {
        said: `${removed.join(', ')} no longer in ${name}.`,
        fields: { group: name, itcodes: removed },
      }
    },
  }),
  command({
    name: 'group models',
    args: ['GROUP'],
    about: 'tells which models a group opens and closes for its members, or sets them',
    options: {
      allow: text('MODELS', 'globs with commas between them; none = no model'),
      deny: text('MODELS', 'the same for models that stay closed'),
    },
    async run({ db, args: [name = ''], options }) {
      const { id } = await knownGroup(db, name)
      if (options.allow !== undefined || options.deny !== undefined)
        await setGroupModels(parts(db), id, { allow: listOf(options.allow), deny: listOf(options.deny) })
      const { allow, deny } = await groupModelsOf(db, id)
      const shown = (models: readonly string[]) => models.join(', ') || 'none'
      return { said: `Opens: ${shown(allow)}\nCloses: ${shown(deny)}`, fields: { group: name, allow, deny } }
    },
  }),
]

function listOf(given: string | undefined): string[] | undefined {
  if (given === undefined) return undefined
  return given === 'none' ? [] : given.split(',').map((model) => model.trim())
}
