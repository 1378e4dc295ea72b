/** Routes about devices: a person lets a program in, and sees and ends what is signed in. */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { Deps } from '../core/deps.ts'
import { decideGrant, openGrant } from '../core/devices/authorize.ts'
import { endDevice } from '../core/devices/end.ts'
import { DEVICE_SORTS, findDevices, SETTINGS_STATES } from '../core/devices/list.ts'
import { deviceAddresses } from '../core/devices/refresh.ts'
import { nothingHere, Refusal } from '../core/errors.ts'
import { describedKey, type ListedKey, listDevices } from '../core/keys/list.ts'
import { updateKey } from '../core/keys/manage.ts'
import { timeText } from '../core/units.ts'
import { addressGroup } from './client-address.ts'
import { idInQuery, idOf, line, page, pageSize, searchText, timestamp } from './fields.ts'
import { report, route } from './route.ts'

const DeviceAddress = z.strictObject({ ip: z.string(), last_at: timestamp })
const DeviceView = z
  .strictObject({
    id: z.int(),
    user_id: z.int(),
    itcode: z.string(),
    name: z.string(),
    status: z.enum(['active', 'disabled']),
    created_at: timestamp,
    expires_at: timestamp.nullable(),
    last_used_at: timestamp.nullable(),
    requests: z.int(),
    addresses: z.array(DeviceAddress).meta({
      description:
        'Where its tokens were refreshed that still work, the last one first: more than one where it has copies.',
    }),
  })
  .meta({ id: 'Device' })
const AdminDeviceView = DeviceView.extend({
  settings: z.strictObject({ is_current: z.boolean(), since: timestamp }).nullable().meta({
    description:
      'Whether the managed settings that it runs with are those of its person now; null where it does not say.',
  }),
}).meta({ id: 'DeviceOfAnybody' })
export type DeviceOfAnybody = z.infer<typeof AdminDeviceView>
const DeviceList = z.strictObject({ devices: z.array(DeviceView) })
const Message = z.strictObject({ message: z.string() })
const userCode = line(32)
const Grant = z.strictObject({
  client: z.string(),
  ip: z.string(),
  asked_at: timestamp,
  same_address: z.boolean(),
})

export const devices = [
  route({
    method: 'POST',
    path: '/api/device/lookup',
    tier: 'session',
    summary: 'What asks to be let in with this code.',
    errors: [404],
    body: z.strictObject({
      user_code: userCode,
      typed: z.boolean().meta({
        description:
          'Whether the person typed it. A code of a link is taken only from the address of the program.',
      }),
    }),
    reply: z.strictObject({ grant: Grant }),
    async handle({ deps, caller, body, actor }) {
      deps.codeEntries.take(caller.user.id)
      const grant = await openGrant(deps, body.user_code)
      const isSame = grant?.ip === addressGroup(actor.ip)
      if (!grant || !(isSame || body.typed)) throw wrongCode()
      const { client, ip, createdAt } = grant
      return { grant: { client, ip, asked_at: timeText(createdAt), same_address: isSame } }
    },
  }),
  route({
    method: 'POST',
    path: '/api/device/decide',
    tier: 'session',
    summary: 'Lets a program in, or denies it.',
    errors: [404, 409],
    body: z.strictObject({ user_code: userCode, decision: z.enum(['approved', 'denied']) }),
    reply: Message,
    async handle({ deps, caller, body, actor }) {
      deps.codeEntries.take(caller.user.id)
      const parts = { ...deps, actor: { ...actor, id: caller.user.id } }
      if (!(await decideGrant(parts, body.user_code, body.decision))) throw wrongCode()
      return { message: body.decision }
    },
  }),
  report({
    path: '/api/devices',
    tier: 'session',
    summary: "The caller's devices.",
    reply: DeviceList,
    async handle({ deps, caller }) {
      const listed = await listDevices(deps.db, caller.user.id)
      const addresses = await addressesOf(deps, listed)
      return { devices: listed.map((one) => viewOf(one, addresses)) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/devices/:id',
    tier: 'session',
    summary: 'Names a device.',
    body: z.strictObject({ name: line(100) }),
    reply: z.strictObject({ device: DeviceView }),
    async handle({ deps, caller, params, body, actor }) {
      const id = idOf(params.id)
      await updateKey({ ...deps, actor }, { ownerId: caller.user.id }, id, body)
      const device = await describedKey(deps.db, id)
      return { device: viewOf(device, await addressesOf(deps, [device])) }
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/devices/:id',
    tier: 'session',
    summary: 'Signs a device out.',
    reply: Message,
    handle: ({ deps, caller, params, actor }) => ended(deps, actor, params.id, caller.user.id),
  }),
  route({
    method: 'GET',
    path: '/admin/api/devices',
    tier: 'auditor',
    summary: 'Devices of all people, or of one, and which of them run on old managed settings.',
    query: z.strictObject({
      user_id: idInQuery.optional(),
      q: searchText.optional(),
      settings: z.enum(SETTINGS_STATES).optional(),
      sort: z.enum(DEVICE_SORTS).default('created_at'),
      order: z.enum(['asc', 'desc']).default('asc'),
      page,
      page_size: pageSize,
    }),
    reply: z.strictObject({ devices: z.array(AdminDeviceView), total: z.int() }),
    async handle({ deps, query }) {
      const { user_id: userId, q, settings, page, page_size: pageSize, sort, order } = query
      const found = await findDevices(deps, { userId, q, settings }, { page, pageSize, sort, order })
      const addresses = await addressesOf(deps, found.devices)
      const devices = found.devices.map(({ settings: said, ...one }) => {
        const settings = said ? { is_current: said.isCurrent, since: timeText(said.since) } : null
        return { ...viewOf(one, addresses), settings }
      })
      return { devices, total: found.total }
    },
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/devices/:id',
    tier: 'admin',
    summary: 'Signs a device of anybody out.',
    reply: Message,
    handle: ({ deps, params, actor }) => ended(deps, actor, params.id),
  }),
]

/** Anybody's without `ownerId`. */
async function ended(deps: Deps, actor: Actor, id: string, ownerId?: number) {
  if (!(await endDevice({ ...deps, actor }, idOf(id), ownerId))) throw nothingHere()
  await deps.keyCache.changed()
  return { message: 'signed out' }
}

function wrongCode(): Refusal {
  return new Refusal('not_found', 'This code is wrong, too old or used. Look at your terminal, and type it.')
}

function addressesOf({ db, clock }: Pick<Deps, 'db' | 'clock'>, devices: readonly ListedKey[]) {
  return deviceAddresses(
    db,
    clock.now(),
    devices.map(({ key }) => key.id),
  )
}

type Addresses = Awaited<ReturnType<typeof deviceAddresses>>

function viewOf({ key, itcode, requests, lastUsedAt }: ListedKey, addresses: Addresses) {
  return {
    id: key.id,
    user_id: key.userId,
    itcode,
    name: key.name,
    status: key.status,
    requests,
    created_at: timeText(key.createdAt),
    expires_at: key.expiresAt === null ? null : timeText(key.expiresAt),
    last_used_at: lastUsedAt === null ? null : timeText(lastUsedAt),
    addresses: (addresses.get(key.id) ?? []).map(({ ip, lastAt }) => ({ ip, last_at: timeText(lastAt) })),
  }
}
