/**
 * The address that a person chose for notices. It is theirs once they entered a code that was mailed there, and it never signs
 * anybody in: whoever could change the address that codes go to would keep the account after their mailbox was closed.
 */
import { eq } from 'drizzle-orm'
import { type Actor, auditIfChanged } from '../audit/record.ts'
import { isAtAllowedDomain, type User } from '../auth/account.ts'
import { sendAwaited } from '../auth/awaited-mail.ts'
import { type Asker, cancelCode, issueCode, useCode } from '../auth/codes.ts'
import { addressMail, movedMail } from '../auth/mail.ts'
import { users } from '../db/schema.ts'
import type { Deps } from '../deps.ts'
import { invalidField, Refusal } from '../errors.ts'
import type { Mail } from '../ports.ts'
import { problem } from '../problems.ts'
import { addressOf, mailTo, noticesTo } from '../users/address.ts'

interface Parts extends Pick<Deps, 'db' | 'clock' | 'settings' | 'mailer' | 'logger' | 'waitUntil'> {
  actor: Actor
  user: User
}
/** The browser that asks. */
type Where = Pick<Asker, 'browser' | 'ip'>

/**
 * Mails a code to the address that is wanted. Throws a Refusal: invalid_input for what is no address or at a domain that is not
 * allowed; too_many_attempts.
 */
export async function askForAddress(parts: Parts, where: Where, wanted: string): Promise<void> {
  const { db, clock, settings, user } = parts
  const { auth } = settings
  const email = addressOf(wanted)
  if (!isAtAllowedDomain(email, auth)) throw invalidField('email', problem('email_domain'))
  const entry = { newcomer: false, invitationId: null }
  const { id, code } = await issueCode({ db, clock, auth }, asker(user, where, email), entry)
  const mail = addressMail({ to: email, code, validMs: auth.codeExpiryMs, itcode: user.itcode })
  send(parts, mail, () => cancelCode({ db, clock, auth }, id))
}

/** Sends notices there from now on, and tells the address before. The changed account. Throws a Refusal invalid_input or invalid_code. */
export async function confirmAddress(
  parts: Parts,
  where: Where,
  { wanted, code }: { wanted: string; code: string },
): Promise<User> {
  const { db, clock, settings, user } = parts
  const { auth } = settings
  const email = addressOf(wanted)
  if (!(await useCode({ db, clock, auth }, asker(user, where, email), code))) {
    throw new Refusal('invalid_code', 'The code is wrong, used up or too old. Ask for a new one if in doubt.')
  }
  return change(parts, email)
}

/** Sends notices to the account's own address again. The changed account. */
export function forgetAddress(parts: Parts): Promise<User> {
  return change(parts, null)
}

async function change(parts: Parts, email: string | null): Promise<User> {
  const { db, clock, settings, user, actor } = parts
  const { auth } = settings
  const now = clock.now()
  if (user.noticeEmail === email) return user
  await db.batch([
    db.update(users).set({ noticeEmail: email, updatedAt: now }).where(eq(users.id, user.id)),
    auditIfChanged(db, {
      actor,
      at: now,
      action: 'user.notice_address',
      target: `user:${user.id}`,
      before: { email: user.noticeEmail },
      after: { email },
    }),
  ])
  const changed = { ...user, noticeEmail: email }
  const after = noticesTo(changed, auth)
  // Also the account's own, which whoever took a session over cannot change.
  for (const to of new Set([noticesTo(user, auth), mailTo(user, auth)])) {
    if (to !== after && to.includes('@')) {
      send(parts, movedMail({ to, itcode: user.itcode, email: after }))
    }
  }
  return changed
}

/** No account has a name with a space, so that these codes are none of an account's. */
function asker(user: User, where: Where, email: string): Asker {
  return { itcode: `notices ${user.id}`, about: `notices ${user.id} ${email}`, ...where }
}

function send(parts: Parts, mail: Mail, failed?: () => Promise<void>) {
  const { logger, waitUntil, actor } = parts
  const sent = sendAwaited(parts, mail).catch(async (cause) => {
    logger.error('mail.not_sent', { id: actor.requestId, cause: String(cause) })
    await failed?.()
  })
  waitUntil(sent)
}
