/** Commands about what exists in one upstream account only: files, containers, threads, skills. */
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { adoptObject, kindOf, listObjects } from '../../../core/objects/manage.ts'
import { choice, command } from '../command.ts'
import { dayOf, knownUser } from './find.ts'
import { fleetOf } from './fleet.ts'

const KINDS = ['container', 'thread', 'file', 'skill'] as const

export const OBJECTS = [
  command({
    name: 'objects adopt',
    args: ['ID', 'BACKEND', 'ITCODE'],
    about: 'gives an object that was made elsewhere to a user; calls that name it go to the backend',
    options: { kind: choice(KINDS, 'what it is, where its id does not tell') },
    async run({ db, config, args: [id = '', backend = '', itcode = ''], options }) {
      const { found } = await fleetOf(config, db)
      const names = found.config.backends.map(({ name }) => name)
      if (!names.includes(backend)) {
        throw new Refusal('body_invalid', `There is no backend ${backend}; there are ${names.join(', ')}.`)
      }
      const kind = options.kind ?? kindOf(id)
      if (kind === undefined) {
        const expected = 'container, thread, file or skill is expected, as the id does not tell.'
        throw new Refusal('body_invalid', `--kind: ${expected}`)
      }
      const user = await knownUser(db, itcode)
      const object = { kind, id, backend, userId: user.id }
      await adoptObject({ db, clock: systemClock, actor: COMMAND_LINE }, object)
      const said = `The ${kind} ${id} in ${backend} belongs to ${user.itcode}.`
      return { said, fields: { kind, id, backend, owner: user.itcode } }
    },
  }),
  command({
    name: 'objects list',
    args: ['[ITCODE]'],
    about: 'lists known objects, of one user or of all',
    async run({ db, args: [itcode] }) {
      const userId = itcode === undefined ? undefined : (await knownUser(db, itcode)).id
      const rows = (await listObjects(db, userId)).map(
        ({ kind, id, backend, itcode: owner, createdAt, expiresAt }) => ({
          kind,
          id,
          backend,
          owner: owner ?? 'nobody',
          known_since: dayOf(createdAt),
          expires: dayOf(expiresAt) ?? 'never',
        }),
      )
      return {
        rows,
        columns: ['kind', 'id', 'backend', 'owner', 'known_since', 'expires'],
        none: 'No objects are known yet.',
      }
    },
  }),
]
