/**
 * Routes that give a key a new secret. Administrators rotate keys of service accounts only, because whoever rotates a key of
 * somebody else could call as them.
 */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { Deps } from '../core/deps.ts'
import { describedKey } from '../core/keys/list.ts'
import type { Scope } from '../core/keys/manage.ts'
import { endPreviousSecret, rotateKey } from '../core/keys/rotate.ts'
import { HOUR_MS } from '../core/units.ts'
import { idOf } from './fields.ts'
import { KeyAnswer, keyView, NewKey } from './key-views.ts'
import { route } from './route.ts'

const LONGEST_OVERLAP_HOURS = 168

export const ROTATION = {
  overlap_hours: z
    .int()
    .min(0)
    .max(LONGEST_OVERLAP_HOURS)
    .default(24)
    .meta({ description: 'For so long the old secret goes on working, but not longer than the key.' }),
}
export const RotatedKey = z.strictObject({ key: NewKey })

export const keyRotation = [
  route({
    method: 'POST',
    path: '/api/keys/:id/rotate',
    tier: 'session',
    summary: 'Gives a key a new secret, which is shown this once. The one before it works for a while.',
    errors: [409],
    body: z.strictObject(ROTATION),
    reply: RotatedKey,
    handle: ({ deps, caller, params, body, actor }) =>
      rotatedKey(deps, actor, { ownerId: caller.user.id }, params.id, body.overlap_hours),
  }),
  route({
    method: 'DELETE',
    path: '/api/keys/:id/previous',
    tier: 'session',
    summary: 'Ends the secret before the present one, from its next request on.',
    reply: KeyAnswer,
    handle: ({ deps, caller, params, actor }) =>
      withoutPrevious(deps, actor, { ownerId: caller.user.id }, params.id),
  }),
  route({
    method: 'DELETE',
    path: '/admin/api/keys/:id/previous',
    tier: 'admin',
    summary: "Ends the secret before the present one of anybody's key, from its next request on.",
    reply: KeyAnswer,
    handle: ({ deps, params, actor }) => withoutPrevious(deps, actor, 'admin', params.id),
  }),
]

/** A key with its new secret. All else is read before, because nobody would get the secret of an answer that fails. */
export async function rotatedKey(
  deps: Deps,
  actor: Actor,
  scope: Exclude<Scope, 'admin'>,
  idText: string,
  overlapHours: number,
): Promise<z.infer<typeof RotatedKey>> {
  const id = idOf(idText)
  const before = await describedKey(deps.db, id)
  const { key, secret } = await rotateKey({ ...deps, actor }, scope, id, overlapHours * HOUR_MS)
  await deps.keyCache.changed()
  return { key: { ...keyView({ ...before, key }), key: secret } }
}

export async function withoutPrevious(deps: Deps, actor: Actor, scope: Scope, idText: string) {
  const id = idOf(idText)
  await endPreviousSecret({ ...deps, actor }, scope, id)
  await deps.keyCache.changed()
  return { key: keyView(await describedKey(deps.db, id)) }
}
