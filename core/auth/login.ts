/** Signing in: a code is mailed, then entered. No answer reveals whether an account exists. */
import type { CountedAction } from '../audit/action.ts'
import { type Actor, auditTally } from '../audit/record.ts'
import type { Deps } from '../deps.ts'
import { Refusal } from '../errors.ts'
import { registerUser } from '../users/manage.ts'
import {
  accountName,
  assertUnmistakable,
  bareName,
  findAccount,
  mailAddress,
  mayRegister,
  type User,
} from './account.ts'
import {
  type Asker,
  cancelCode,
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

type SignInParts = Pick<Deps, 'db' | 'clock' | 'settings' | 'signInLimits'>

interface Request extends Asker {
  inviteCode: string | undefined
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
 * leaves after the answer. Throws a Refusal: invalid_input, invalid_invite_code, too_many_attempts.
 */
export async function sendCode(
  deps: SignInParts & Pick<Deps, 'codes' | 'logger' | 'waitUntil'>,
  request: Request,
): Promise<void> {
  const { db, clock, settings, logger } = deps
  const { auth } = settings
  const { itcode, mailbox, user } = await resolve(deps, request.itcode)
  const asker = { ...request, itcode: mailbox }
  const parts = { db, clock, auth }
  if (!(await isKnown(db, asker))) deps.signInLimits.stranger()
  if (auth.inviteCode !== '' && !(await isInvited(deps, request.inviteCode))) {
    await recordWrongInvite(parts, asker)
    throw wrongInvite()
  }
  const { id, code } = await issueCode(parts, asker)
  // The mail is built in any case, so that the time taken is the same.
  const mail = codeMail({ to: mailAddress(itcode, auth), code, validMs: auth.codeExpiryMs, itcode })
  const isWanted = user !== undefined || mayRegister(itcode, auth)
  const sent = (isWanted ? deps.codes.send(mail) : Promise.resolve()).catch(async (cause) => {
    logger.error('code.not_sent', { id: request.actor.requestId, cause: String(cause) })
    await cancelCode(parts, id)
  })
  deps.waitUntil(sent)
}

/**
 * Opens a session for a right code; somebody new gets an account with role user. `previous`, the id of the browser's earlier
 * session, ends. Throws a Refusal: invalid_input, invalid_code, account_disabled, invalid_invite_code, too_many_attempts.
 */
export async function login(
  deps: SignInParts,
  request: Request & { code: string; userAgent: string; previous: string | undefined },
): Promise<{ user: User; token: string }> {
  const { db, clock, settings } = deps
  const { auth } = settings
  const parts = { db, clock, auth }
  const { itcode, mailbox, user: known } = await resolve(deps, request.itcode)
  const asker = { ...request, itcode: mailbox }
  const event = (action: CountedAction, id: number | null) => {
    return { actor: { ...request.actor, id }, at: clock.now(), action, target: `user:${itcode}` }
  }
  const standing = await standingOf(parts, asker, request.code)
  const isHopeless = !standing.handedOver && !standing.hasCode
  if (isHopeless) countGuess(deps, asker, standing)
  // The invite code is optional here, because no login code is sent without it. A wrong one is refused all the same.
  if (request.inviteCode && auth.inviteCode !== '' && !(await isInvited(deps, request.inviteCode))) {
    await recordWrongInvite(parts, asker)
    throw wrongInvite()
  }
  const use = standing.handedOver ? useHandedOver : useCode
  if (isHopeless || !(await use(parts, asker, request.code))) {
    // Unknown names share one row, because a stranger can invent any number of them.
    const isNobody = isHopeless && !known
    await auditTally(db, { ...event('login.failed', null), ...(isNobody ? { target: 'user:' } : {}) })
    throw new Refusal('invalid_code', 'The code is wrong, used up or too old. Ask for a new one if in doubt.')
  }
  const user = known ?? (await newcomer(deps, itcode, request.actor))
  if (!user) throw new Refusal('invalid_code', 'No account can be made for this name.')
  if (user.status === 'disabled') {
    await auditTally(db, event('login.refused', user.id))
    throw new Refusal('account_disabled', 'Your account is disabled. Ask an administrator.')
  }
  const { ip, userAgent, previous } = request
  const actor = { ...request.actor, id: user.id }
  const token = await openSession({ ...parts, actor }, { userId: user.id, itcode, ip, userAgent, previous })
  return { user, token }
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

async function newcomer(
  { db, clock, settings }: Pick<Deps, 'db' | 'clock' | 'settings'>,
  itcode: string,
  actor: Actor,
): Promise<User | undefined> {
  if (!mayRegister(itcode, settings.auth)) return undefined
  const { defaultQuotaTokens: quotaTokens, defaultBudgetMicros: budgetMicros } = settings.limits
  const person = { itcode, role: 'user', quotaTokens, budgetMicros } as const
  return (await registerUser({ db, clock, actor }, person)) ?? findAccount(db, settings.auth, itcode)
}

function isInvited(
  { settings: { auth } }: Pick<Deps, 'settings'>,
  given: string | undefined,
): Promise<boolean> {
  return sameSecret(auth.secrets[0], given?.trim() ?? '', auth.inviteCode)
}

function wrongInvite(): Refusal {
  return new Refusal('invalid_invite_code', 'The invite code is missing or wrong.')
}
