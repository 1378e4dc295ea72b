/** Commands about API keys. */
import * as z from 'zod'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { isNetwork } from '../../../core/http/networks.ts'
import { describedKey, listKeys } from '../../../core/keys/list.ts'
import { type ApiKey, createKey, deleteKey, updateKey } from '../../../core/keys/manage.ts'
import { rotateKey } from '../../../core/keys/rotate.ts'
import type { Db } from '../../../core/ports.ts'
import { HOUR_MS, usdOf } from '../../../core/units.ts'
import { dollars } from '../../../functions/fields.ts'
import { ROTATION } from '../../../functions/key-rotation.ts'
import { sha256 } from '../../drivers/sha256.ts'
import { command, number, text, title } from '../command.ts'
import type { Row } from '../output.ts'
import { dayOf, futureTime, idIn, knownGroup, knownUser } from './find.ts'

const count = z.int().min(0)
const OVERLAP = ROTATION.overlap_hours.unwrap()
const LIMITS = {
  expires: futureTime('until when it is good, such as 2027-01-31'),
  quota: number('TOKENS', 'tokens in a period; 0 = unlimited', count),
  budget: number('USD', 'what may be spent with it in a period; 0 = unlimited', dollars),
  rpm: number('N', 'requests a minute; 0 = unlimited', count),
  tpm: number('N', 'tokens a minute; 0 = unlimited', count),
  concurrent: number('N', 'requests at once; 0 = unlimited', count),
  models: text(
    'MODELS',
    'globs of the models it is for, with commas between them; none = all its owner may use',
  ),
  networks: text(
    'NETWORKS',
    'from where it may be used, such as 10.0.0.0/8,192.0.2.7/32; none = from everywhere',
  ),
  'billing-group': text('GROUP', "the group that its calls are booked to; none = its owner's"),
}
const parts = (db: Db) => ({ db, clock: systemClock, actor: COMMAND_LINE })

export const KEYS = [
  command({
    name: 'key create',
    args: ['ITCODE'],
    about: 'prints a new key, once',
    options: { name: title('what it is for'), ...LIMITS },
    async run({ db, args: [itcode = ''], options }) {
      const user = await knownUser(db, itcode)
      if (user.status !== 'active') throw new Refusal('account_disabled', `${user.itcode} is disabled.`)
      const { expires = null, name = 'command line' } = options
      const { key, secret } = await createKey(
        { ...parts(db), sha256 },
        {
          userId: user.id,
          ...(await settingsOf(db, options)),
          name,
          expiresAt: expires,
        },
      )
      return {
        said: secret,
        note: `Key ${key.id} for ${user.itcode}. It is shown this once and stored nowhere.`,
        fields: { id: key.id, owner: user.itcode, key: secret },
      }
    },
  }),
  command({
    name: 'key list',
    args: ['[ITCODE]'],
    about: 'lists keys, of one user or of all',
    async run({ db, args: [itcode] }) {
      const userId = itcode === undefined ? undefined : (await knownUser(db, itcode)).id
      const rows = (await listKeys(db, userId)).map(
        ({ key, itcode: owner, requests, costMicros, lastUsedAt }) => ({
          id: key.id,
          owner,
          name: key.name,
          key: `${key.prefix}…${key.last4}`,
          status: key.status,
          expires: dayOf(key.expiresAt) ?? 'never',
          last_used: dayOf(lastUsedAt) ?? 'never',
          requests,
          cost_usd: usdOf(costMicros),
        }),
      )
      return {
        rows,
        columns: ['id', 'owner', 'name', 'key', 'status', 'expires', 'last_used', 'requests', 'cost_usd'],
        none: 'There are no keys yet.',
      }
    },
  }),
  command({
    name: 'key update',
    args: ['ID'],
    about: "changes a key's name, expiry or limits",
    options: { name: title('what it is for'), ...LIMITS },
    async run({ db, args: [id = ''], options }) {
      const { name, expires } = options
      const change = { ...(await settingsOf(db, options)), name, expiresAt: expires }
      if (Object.values(change).every((value) => value === undefined)) {
        throw new Refusal('body_invalid', 'Nothing to change. See: npm run cli -- key update --help')
      }
      await updateKey(parts(db), 'admin', idIn(id, 'key'), change)
      return told(await describedKey(db, idIn(id, 'key')), 'changed')
    },
  }),
  command({
    name: 'key rotate',
    args: ['ID'],
    about: 'prints a new secret for a key, once; the old one works for a while',
    options: {
      overlap: number('HOURS', 'for how long the old one works, 24 by default; 0 = it ends now', OVERLAP),
    },
    async run({ db, args: [id = ''], options: { overlap = 24 } }) {
      const keyId = idIn(id, 'key')
      const { secret } = await rotateKey({ ...parts(db), sha256 }, 'admin', keyId, overlap * HOUR_MS)
      return {
        said: secret,
        note: `The new secret of key ${keyId}. It is shown this once and stored nowhere.`,
        fields: { id: keyId, key: secret },
      }
    },
  }),
  command({
    name: 'key disable',
    args: ['ID'],
    about: 'refuses a key from its next request on',
    run: ({ db, args: [id = ''] }) => switched(db, idIn(id, 'key'), 'disabled'),
  }),
  command({
    name: 'key enable',
    args: ['ID'],
    about: 'takes a disabled key again',
    run: ({ db, args: [id = ''] }) => switched(db, idIn(id, 'key'), 'active'),
  }),
  command({
    name: 'key delete',
    args: ['ID'],
    about: 'ends a key for good; its usage stays',
    async run({ db, args: [id = ''] }) {
      const { key } = await describedKey(db, idIn(id, 'key'))
      await deleteKey(parts(db), 'admin', key.id)
      return {
        said: `Key ${key.id} (${key.prefix}…${key.last4}) is deleted.`,
        fields: { id: key.id, status: 'deleted' },
      }
    },
  }),
]

interface Given {
  quota?: number
  budget?: number
  rpm?: number
  tpm?: number
  concurrent?: number
  models?: string
  networks?: string
  'billing-group'?: string
}

async function settingsOf(db: Db, given: Given) {
  const group = given['billing-group']
  return {
    quotaTokens: given.quota,
    budgetMicros: given.budget,
    requestsPerMinute: given.rpm,
    tokensPerMinute: given.tpm,
    concurrentRequests: given.concurrent,
    models: listOf(given.models),
    networks: networksIn(given.networks),
    billingGroupId:
      group === undefined ? undefined : group === 'none' ? null : (await knownGroup(db, group)).id,
  }
}

/** Throws a Refusal body_invalid. */
function networksIn(given: string | undefined) {
  const networks = listOf(given)
  const odd = networks?.find((network) => !isNetwork(network))
  if (odd === undefined) return networks
  throw new Refusal('body_invalid', `--networks: ${odd} is no network; one such as 10.0.0.0/8 is expected.`)
}

/** null = no list. */
function listOf(given: string | undefined): string[] | null | undefined {
  if (given === undefined) return undefined
  return given === 'none' ? null : given.split(',').map((one) => one.trim())
}

async function switched(db: Db, id: number, status: ApiKey['status']) {
  await updateKey(parts(db), 'admin', id, { status })
  const described = await describedKey(db, id)
  return told(described, described.key.status)
}

function told({ key, itcode }: { key: ApiKey; itcode: string }, what: string) {
  const fields: Row = { id: key.id, owner: itcode, name: key.name, status: key.status }
  return { said: `Key ${key.id} (${key.prefix}…${key.last4}) is ${what}.`, fields }
}
