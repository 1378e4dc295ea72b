/** Commands about invitations. */
import { readFileSync } from 'node:fs'
import { settingsFrom } from '../../../config/settings.ts'
import { COMMAND_LINE } from '../../../core/audit/record.ts'
import { systemClock } from '../../../core/clock.ts'
import { Refusal } from '../../../core/errors.ts'
import { groupIdsOf, peopleIn, withoutAccount } from '../../../core/organisation/invitation-list.ts'
import {
  createInvitations,
  listInvitations,
  revokeInvitation,
  statusOf,
} from '../../../core/organisation/invitations.ts'
import { DAY_MS, timeText } from '../../../core/units.ts'
import { sha256 } from '../../drivers/sha256.ts'
import { choice, command, flag, text } from '../command.ts'
import { futureTime, idIn } from './find.ts'

const LIFE_MS = 14 * DAY_MS
const NO_HOST =
  "Put the gateway's address before each link, such as https://claude.example.com; with server.public_url links have it."

export const INVITATIONS = [
  command({
    name: 'invitation create',
    args: ['[ADDRESS…]'],
    about: 'invites people, who get an account when they sign in',
    options: {
      file: text('FILE', 'a CSV of addresses, names and groups, in place of addresses'),
      role: choice(['user', 'admin', 'billing', 'auditor'], 'what they may do on the dashboard'),
      expires: futureTime('until when it is good; two weeks if left out'),
    },
    async run({ db, config, args, options: { file, role = 'user', expires } }) {
      const { auth, publicUrl } = settingsFrom(config)
      if ((file === undefined) === (args.length === 0))
        throw new Refusal('body_invalid', 'Type addresses, or --file FILE with a list of them.')
      const people = peopleIn(file === undefined ? args.join('\n') : read(file), auth)
      const ids = await groupIdsOf(db, people)
      const invited = await withoutAccount({ db, auth }, people)
      const wanted = invited.map(({ email, name, groups }) => ({
        email,
        name,
        role,
        limit: null,
        mostUses: 1,
        groupIds: groups.map((group) => ids.get(group) ?? 0),
        expiresAt: expires ?? systemClock.now() + LIFE_MS,
      }))
      const made = await createInvitations({ db, clock: systemClock, actor: COMMAND_LINE, sha256 }, wanted)
      return {
        rows: made.map(({ invitation: { id, email, expiresAt }, secret }) => ({
          id,
          email,
          link: `${publicUrl}/login#invitation=${secret}`,
          expires_at: timeText(expiresAt),
        })),
        columns: ['id', 'email', 'link', 'expires_at'],
        none: 'All of them have an account.',
        ...(publicUrl === '' && made.length > 0 ? { note: NO_HOST } : {}),
      }
    },
  }),
  command({
    name: 'invitation list',
    about: 'lists invitations that can be used, newest first',
    options: { all: flag('also those that are used, too old or taken back') },
    async run({ db, options: { all } }) {
      const parts = { db, clock: systemClock }
      const status = all ? undefined : ('pending' as const)
      const { invitations } = await listInvitations(parts, { page: 1, pageSize: 10_000, status })
      return {
        rows: invitations.map((one) => ({
          id: one.id,
          email: one.email,
          role: one.role,
          uses: `${one.uses}/${one.mostUses}`,
          status: statusOf(one, systemClock.now()),
          expires_at: timeText(one.expiresAt),
        })),
        columns: ['id', 'email', 'role', 'uses', 'status', 'expires_at'],
        none: 'There are no invitations.',
      }
    },
  }),
  command({
    name: 'invitation revoke',
    args: ['ID'],
    about: 'takes an invitation back',
    async run({ db, args: [id = ''] }) {
      const invitation = idIn(id, 'invitation')
      await revokeInvitation({ db, clock: systemClock, actor: COMMAND_LINE }, invitation)
      return { said: `Invitation ${invitation} can no longer be used.`, fields: { id: invitation } }
    },
  }),
]

/** Throws a Refusal body_invalid for a file that cannot be read. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new Refusal('body_invalid', `${file} cannot be read.`, { cause })
  }
}
