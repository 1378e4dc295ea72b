/** Signing in: a code is mailed, then entered. No answer reveals whether an account exists. */
import type { CountedAction } from '../audit/action.ts'
import { type Actor, auditTally } from '../audit/record.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { resumeByCode } from '../identity/pause.ts'
import { ownAmount } from '../limits/spend-limit.ts'
import { invitationOfAddress, invitationOfLink } from '../organisation/invitations.ts'
import { mailTo, mayGetCodes } from '../users/address.ts'
import { registerInvited, registerUser } from '../users/manage.ts'
import {
  accountName,
  assertUnmistakable,
  bareName,
  findAccount,
  isPlain,
  mailAddress,
  mayRegister,
  type User,
} from './account.ts'
import { sendAwaited } from './awaited-mail.ts'
import {
  type Asker,
  cancelCode,
  type Entry,
  isKnown,
  issueCode,
  recordWrongInvite,
  type Standing,
  standingOf,
  useCode,
  useHandedOver,
} from './codes.ts'
import { sameSecret } from './keyed-hash.ts'
import { codeMail } from './mail.ts'
import { openSession } from './sessions.ts'

type SignInParts = Pick<Deps, 'db' | 'clock' | 'settings' | 'signInLimits' | 'logins'>

interface Request extends Asker {
  inviteCode: string | undefined
  /** The secret of an invitation's link. */
  invitation: string | undefined
  actor: Actor
}

/**
 * The account of a typed name, or the name it would register. Codes belong to `mailbox`: the account's name, else the name
 * without the company's mail domain, so that both ways to type it share their codes. Throws a Refusal invalid_input.
 */
async function resolve(
  { db, settings }: Pick<Deps, 'db' | 'settings'>,
  typed: string,
): Promise<{ itcode: string; mailbox: string; user: User | undefined }> {
  const name = accountName(typed)
  const user = await findAccount(db, settings.auth, name)
  if (!user) assertUnmistakable(name)
  return { itcode: user?.itcode ?? name, mailbox: user?.itcode ?? bareName(name, settings.auth), user }
}

/**
 * Mails a code if the account exists or may register. Otherwise the answer and its time are the same, because the mail
 * leaves after the answer. Throws a Refusal: invalid_input, invalid_invite_code for a wrong one, too_many_attempts.
 */
export async function sendCode(
  deps: SignInParts & Pick<Deps, 'mailer' | 'logger' | 'waitUntil' | 'sha256'>,
  request: Request,
): Promise<void> {
  const { db, clock, settings, logger } = deps
  const { auth } = settings
  const { itcode, mailbox, user } = await resolve(deps, request.itcode)
  const asker = { ...request, itcode: mailbox }
  const parts = { db, clock, auth }
  if (!(await isKnown(db, asker))) deps.signInLimits.stranger()
  const entry = await entryOf(deps, { ...request, itcode })
  if (!entry) {
    await recordWrongInvite(parts, asker)
    throw wrongInvite()
  }
  const { id, code } = await issueCode(parts, asker, entry)
  // The mail is built in any case, so that the time taken is the same.
  const to = user ? mailTo(user, auth) : mailAddress(itcode, auth)
  const mail = codeMail({ to, code, validMs: auth.codeExpiryMs, itcode })
  const send = async () => {
    if (user ? await mayGetCodes(db, user) : entry.newcomer) await sendAwaited(deps, mail)
  }
  const sent = send().catch(async (cause) => {
    logger.error('code.not_sent', { id: request.actor.requestId, cause: String(cause) })
    await cancelCode(parts, id)
  })
  deps.waitUntil(sent)
}

/**
 * Whether a code may make an account: by an invitation, by the invite code, or because none is needed. Undefined for an
 * invitation or code that is wrong.
 */
async function entryOf(
  deps: SignInParts & Pick<Deps, 'sha256'>,
  { itcode, inviteCode, invitation }: Pick<Request, 'itcode' | 'inviteCode' | 'invitation'>,
): Promise<Entry | undefined> {
  const { auth } = deps.settings
  const address = mailAddress(itcode, auth)
  // Both are looked for in any case, so that the time taken is the same.
  const ofAddress = await invitationOfAddress(deps, address)
  if (invitation) {
    const found = await invitationOfLink(deps, invitation)
    if (!found || (found.email !== null && found.email !== address)) return undefined
    return { newcomer: found.email !== null || isPlain(itcode), invitationId: found.id }
  }
  const isRight = await isInvited(deps, inviteCode)
  if (auth.inviteCode !== '' && inviteCode && !isRight) return undefined
  if (ofAddress) return { newcomer: true, invitationId: ofAddress.id }
  return {
    newcomer: (auth.inviteCode === '' || isRight) && mayRegister(itcode, auth),
    invitationId: null,
  }
}

/**
 * Opens a session for a right code; somebody new gets an account with role user. `previous`, the id of the browser's earlier
 * session, ends. `ownMicros` as in userView: read before there is a session, because nobody would hold one that is not answered.
 * Throws a Refusal: invalid_input, invalid_code, account_disabled, provider_required, invalid_invite_code, too_many_attempts.
 */
export async function login(
  deps: SignInParts,
  request: Request & { code: string; userAgent: string; previous: string | undefined },
): Promise<{ user: User; ownMicros: number; token: string }> {
  const { db, clock, settings } = deps
  const { auth, limits } = settings
  const parts = { db, clock, auth }
  const { itcode, mailbox, user: known } = await resolve(deps, request.itcode)
  const asker = { ...request, itcode: mailbox }
  const event = (action: CountedAction, id: number | null) => {
    return { actor: { ...request.actor, id }, at: clock.now(), action, target: `user:${itcode}` }
  }
  const standing = await standingOf(parts, asker, request.code)
  const isHopeless = !standing.handedOver && !standing.hasCode
  if (isHopeless) countGuess(deps, asker, standing)
  // The invite code is optional here, because the code's row says whether it may make an account. A wrong one is refused.
  if (request.inviteCode && auth.inviteCode !== '' && !(await isInvited(deps, request.inviteCode))) {
    await recordWrongInvite(parts, asker)
    throw wrongInvite()
  }
  // Before the code is used up, and for a stranger as well, so that the time taken is the same.
  const knownMicros = await ownAmount(db, known?.id ?? 0, limits.period)
  const use = standing.handedOver ? useHandedOver : useCode
  const entry = isHopeless ? undefined : await use(parts, asker, request.code)
  if (!entry) {
    // Unknown names share one row, because a stranger can invent any number of them.
    const isNobody = isHopeless && !known
    await auditTally(db, { ...event('login.failed', null), ...(isNobody ? { target: 'user:' } : {}) })
    throw new Refusal('invalid_code', 'The code is wrong, used up or too old. Ask for a new one if in doubt.')
  }
  const user = known ?? (await newcomer(deps, { itcode, entry, actor: request.actor }))
  if (!user) throw new Refusal('invalid_code', 'No account can be made for this name.')
  // Nobody signs in to a service account.
  if (user.status === 'disabled' || user.kind === 'service') {
    await auditTally(db, event('login.refused', user.id))
    throw new Refusal('account_disabled', 'Your account is disabled. Ask an administrator.')
  }
  const { ip, userAgent, previous } = request
  const actor = { ...request.actor, id: user.id }
  if (user.pausedAt !== null) await resumeByCode(deps, { user, actor, handedOver: standing.handedOver })
  // An invitation gives a newcomer a limit.
  const ownMicros = known ? knownMicros : await ownAmount(db, user.id, limits.period)
  const token = await openSession({ ...parts, actor }, { userId: user.id, itcode, ip, userAgent, previous })
  return { user, ownMicros, token }
}

/** Counts an attempt from a browser that has no code for this account. Throws a Refusal too_many_attempts. */
function countGuess(
  { signInLimits }: Pick<Deps, 'signInLimits'>,
  { itcode, browser }: Asker,
  { known }: Standing,
) {
  signInLimits.guess(itcode, known ? browser : undefined)
  if (!known) signInLimits.stranger()
}

/** Makes the account that a code may make; undefined if it may not. Throws a Refusal invalid_invite_code. */
async function newcomer(
  deps: Pick<Deps, 'db' | 'clock' | 'settings'>,
  { itcode, entry, actor }: { itcode: string; entry: Entry; actor: Actor },
): Promise<User | undefined> {
  const { db, clock, settings } = deps
  const quotaTokens = settings.limits.defaultQuotaTokens
  const parts = { db, clock, actor }
  if (!entry.newcomer) return undefined
  if (entry.invitationId === null) {
    if (!mayRegister(itcode, settings.auth)) return undefined
    const made = await registerUser(parts, { itcode, role: 'user', quotaTokens })
    return made ?? findAccount(db, settings.auth, itcode)
  }
  const made = await registerInvited(parts, entry.invitationId, { itcode, quotaTokens })
  if (made === 'closed') {
    throw new Refusal('invalid_invite_code', 'This invitation is used up, too old or was taken back.')
  }
  return made ?? findAccount(db, settings.auth, itcode)
}

function isInvited(
  { settings: { auth } }: Pick<Deps, 'settings'>,
  given: string | undefined,
): Promise<boolean> {
  return sameSecret(auth.secrets[0], given?.trim() ?? '', auth.inviteCode)
}

function wrongInvite(): Refusal {
  return new Refusal('invalid_invite_code', 'The invite code is wrong.')
}
