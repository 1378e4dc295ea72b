/** Commands about devices: what people signed in, such as Claude Code. */
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { endDevice } from '../../../core/devices/end.ts'
import { deviceAddresses } from '../../../core/devices/refresh.ts'
import { nothingHere } from '../../../core/errors.ts'
import { describedKey, listDevices } from '../../../core/keys/list.ts'
import { usdOf } from '../../../core/units.ts'
import { command } from '../command.ts'
import { dayOf, idIn, knownUser } from './find.ts'

export const DEVICES = [
  command({
    name: 'device list',
    args: ['[ITCODE]'],
    about: 'lists devices that are signed in, of one user or of all',
    async run({ db, args: [itcode] }) {
      const userId = itcode === undefined ? undefined : (await knownUser(db, itcode)).id
      const listed = await listDevices(db, userId)
      const ids = listed.map(({ key }) => key.id)
      const addresses = await deviceAddresses(db, systemClock.now(), ids)
      const rows = listed.map(({ key, itcode: owner, requests, costMicros, lastUsedAt }) => ({
        id: key.id,
        owner,
        name: key.name,
        since: dayOf(key.createdAt),
        expires: dayOf(key.expiresAt),
        last_used: dayOf(lastUsedAt) ?? 'never',
        requests,
        cost_usd: usdOf(costMicros),
        addresses: (addresses.get(key.id) ?? []).map(({ ip }) => ip).join(' '),
      }))
      return {
        rows,
        columns: [
          'id',
          'owner',
          'name',
          'since',
          'expires',
          'last_used',
          'requests',
          'cost_usd',
          'addresses',
        ],
        none: 'No device is signed in.',
      }
    },
  }),
  command({
    name: 'device end',
    args: ['ID'],
    about: 'signs a device out; its next call is refused',
    async run({ db, args: [id = ''] }) {
      const { key, itcode } = await describedKey(db, idIn(id, 'device'))
      if (key.kind !== 'device') throw nothingHere()
      await endDevice({ db, clock: systemClock, actor: COMMAND_LINE }, key.id)
      return {
        said: `${key.name} of ${itcode} is signed out.`,
        fields: { id: key.id, owner: itcode, status: 'ended' },
      }
    },
  }),
]
