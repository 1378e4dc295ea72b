/** Routes with which people choose the address that notices go to. */
import * as z from 'zod'
import type { Actor } from '../core/audit/record.ts'
import type { User } from '../core/auth/account.ts'
import type { SignedIn } from '../core/auth/sessions.ts'
import type { Deps } from '../core/deps.ts'
import { askForAddress, confirmAddress, forgetAddress } from '../core/notices/own-address.ts'
import { noticesTo } from '../core/users/address.ts'
import { addressGroup } from './client-address.ts'
import { line } from './fields.ts'
import { route } from './route.ts'

const email = line(254)
const Address = z
  .strictObject({
    email: z.string().meta({ description: 'Where notices go. Without an @ nobody can be mailed.' }),
    is_chosen: z.boolean().meta({ description: "false: it is the account's own address." }),
  })
  .meta({ id: 'NoticeAddress' })
export type NoticeAddressView = z.infer<typeof Address>

export const noticeAddress = [
  route({
    method: 'GET',
    path: '/api/notices/address',
    tier: 'session',
    summary: 'Where notices to the caller go.',
    reply: Address,
    handle: async ({ deps, caller }) => view(deps, caller.user),
  }),
  route({
    method: 'POST',
    path: '/api/notices/address',
    tier: 'session',
    summary: 'Mails a code to an address that the caller wants notices at.',
    body: z.strictObject({ email }),
    reply: z.strictObject({ message: z.string(), expires_in: z.int() }),
    async handle({ deps, caller, body, actor }) {
      await askForAddress({ ...deps, actor, user: caller.user }, where(deps, caller, actor), body.email)
      return { message: 'code sent', expires_in: Math.round(deps.settings.auth.codeExpiryMs / 1000) }
    },
  }),
  route({
    method: 'PUT',
    path: '/api/notices/address',
    tier: 'session',
    summary: 'Sends notices to an address, by the code that was mailed there. Signing in stays as it is.',
    errors: [401],
    body: z.strictObject({ email, code: line(64) }),
    reply: Address,
    async handle({ deps, caller, body, actor }) {
      const parts = { ...deps, actor, user: caller.user }
      const given = { wanted: body.email, code: body.code }
      return view(deps, await confirmAddress(parts, where(deps, caller, actor), given))
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/notices/address',
    tier: 'session',
    summary: "Sends notices to the account's own address again.",
    reply: Address,
    handle: async ({ deps, caller, actor }) =>
      view(deps, await forgetAddress({ ...deps, actor, user: caller.user })),
  }),
]

function view({ settings }: Pick<Deps, 'settings'>, user: User): NoticeAddressView {
  return { email: noticesTo(user, settings.auth), is_chosen: user.noticeEmail !== null }
}

/** A code is good in the session that asked for it, because whoever signs in at a provider has no cookie of codes. */
function where({ sha256 }: Pick<Deps, 'sha256'>, { sessionId }: SignedIn, { ip }: Actor) {
  return { browser: sha256(`session ${sessionId}`), ip: addressGroup(ip ?? '') }
}
