import { Refusal, type RefusalCode } from '../errors.ts'

/** Why somebody who came from a provider is not signed in. The sign-in page has a sentence for each. */
const SIGN_IN_PROBLEMS = [
  /** The browser was away for too long, or did not begin here. */
  'expired',
  /** The provider said no, or its answer is not one to this sign-in. */
  'failed',
  'provider_unavailable',
  /** They are in no group that may sign in. */
  'not_allowed',
  /** They have no account, and none is made. */
  'no_account',
  /** Their address is that of an account which an address alone does not open. */
  'address_taken',
  'account_disabled',
] as const
export type SignInProblem = (typeof SIGN_IN_PROBLEMS)[number]

export class SignInRefused extends Error {
  readonly problem: SignInProblem
  constructor(problem: SignInProblem, options?: ErrorOptions) {
    super(problem, options)
    this.name = 'SignInRefused'
    this.problem = problem
  }
}

/** What a form of the sign-in page is answered. */
const REFUSALS: Record<SignInProblem, [code: RefusalCode, message: string]> = {
  expired: ['wrong_password', 'Please try again.'],
  failed: ['wrong_password', 'The name or the password is wrong.'],
  provider_unavailable: ['provider_unavailable', 'The directory cannot be reached. Please try again later.'],
  not_allowed: ['group_required', 'You are in no group that may use this gateway. Ask an administrator.'],
  no_account: ['account_required', 'You have no account here. Ask an administrator for one.'],
  address_taken: ['address_taken', 'Your address is that of another account. Ask an administrator.'],
  account_disabled: ['account_disabled', 'Your account is disabled. Ask an administrator.'],
}

export function refusalOf({ problem, cause }: SignInRefused): Refusal {
  const [code, message] = REFUSALS[problem]
  return new Refusal(code, message, { cause })
}
