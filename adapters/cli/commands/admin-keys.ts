/** Commands about the keys of programs that administer the gateway. */
import * as z from 'zod'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { ADMIN_SCOPES, createAdminKey, listAdminKeys, revokeAdminKey } from '../../../core/keys/admin-keys.ts'
import type { Db } from '../../../core/ports.ts'
import { sha256 } from '../../drivers/sha256.ts'
import { command, type Option, titleIn } from '../command.ts'
import { dayOf, futureTime } from './find.ts'

const parts = (db: Db) => ({ db, clock: systemClock, actor: COMMAND_LINE })
const LISTED = ADMIN_SCOPES.join(',')
const scopes: Option<(typeof ADMIN_SCOPES)[number][]> = {
  value: 'SCOPES',
  about: `what it may do, with commas between: ${LISTED}; read if left out`,
  schema: z
    .string()
    .transform((text) => text.split(',').map((scope) => scope.trim()))
    .pipe(z.array(z.enum(ADMIN_SCOPES, `some of ${LISTED} are expected.`))),
}

export const ADMIN_KEYS = [
  command({
    name: 'admin-keys create',
    args: ['NAME'],
    about: 'prints a new key for a program that administers, once',
    options: { scopes, expires: futureTime('until when it is good, such as 2027-01-31') },
    async run({ db, args: [wanted], options }) {
      const name = titleIn(wanted)
      const { expires: expiresAt = null, scopes = ['read'] } = options
      const { key, secret } = await createAdminKey({ ...parts(db), sha256 }, { name, scopes, expiresAt })
      return {
        said: secret,
        note: `Admin key ${key.id} (${key.scopes.join(', ')}). It is shown this once and stored nowhere.`,
        fields: { id: key.id, name: key.name, scopes: key.scopes, key: secret },
      }
    },
  }),
  command({
    name: 'admin-keys list',
    about: 'lists the keys of programs that administer',
    async run({ db }) {
      const rows = (await listAdminKeys(db)).map(({ id, name, last4, scopes, ...times }) => ({
        id,
        name,
        key: `sk-admin-…${last4}`,
        scopes,
        expires: dayOf(times.expiresAt) ?? 'never',
        last_used: dayOf(times.lastUsedAt) ?? 'never',
      }))
      return {
        rows,
        columns: ['id', 'name', 'key', 'scopes', 'expires', 'last_used'],
        none: 'There are no admin keys yet.',
      }
    },
  }),
  command({
    name: 'admin-keys revoke',
    args: ['NAME'],
    about: 'ends the key of a program, by its name or id, from its next request on',
    async run({ db, args: [wanted = ''] }) {
      const known = await listAdminKeys(db)
      const key = known.find(({ id, name }) => name === wanted || String(id) === wanted)
      if (!key) throw new Refusal('not_found', `There is no admin key ${wanted}.`)
      await revokeAdminKey(parts(db), key.id)
      return {
        said: `Admin key ${key.name} (id ${key.id}) is revoked.`,
        fields: { id: key.id, name: key.name, status: 'revoked' },
      }
    },
  }),
]
