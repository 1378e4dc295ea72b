/**
 * How often anybody may try to sign in, before any database is asked. What is refused here leaves nothing behind; the
 * limits on codes, which hold over all processes and restarts, stand behind it.
 */
import { Refusal } from '../errors.ts'
import { createThrottle } from '../limits/throttle.ts'
import type { Clock } from '../ports.ts'

/** An office behind one router signs in at nine o'clock. */
const BY_ADDRESS = { burst: 300, everyMs: 2_000 }
/** Guesses without a code lead nowhere, so few are needed. */
const BY_ACCOUNT = { burst: 30, everyMs: 20_000 }
/** Of all browsers together that the account does not know: what many addresses can do at most. */
const BY_STRANGERS = { burst: 2_000, everyMs: 1_800 }

export interface SignInLimits {
  /** Any change that needs no session, by the group of its address. Throws a Refusal rate_limited. */
  request(address: string): void
  /** Something that a browser asks which the account does not know. Throws a Refusal too_many_attempts. */
  stranger(): void
  /** An attempt without a code. `browser` where the account knows it: it has a count of its own. Throws as above. */
  guess(account: string, browser: string | undefined): void
}

export function createSignInLimits(clock: Clock): SignInLimits {
  const addresses = createThrottle(clock, BY_ADDRESS)
  const accounts = createThrottle(clock, BY_ACCOUNT)
  const strangers = createThrottle(clock, BY_STRANGERS)
  const pass = (waitMs: number, code: 'rate_limited' | 'too_many_attempts') => {
    if (waitMs > 0)
      throw new Refusal(code, 'Too many attempts. Please try again later.', { retryAfterMs: waitMs })
  }
  return {
    request: (address) => pass(addresses.take(address), 'rate_limited'),
    stranger: () => pass(strangers.take(''), 'too_many_attempts'),
    guess(account, browser) {
      pass(accounts.take(browser === undefined ? account : `${account} ${browser}`), 'too_many_attempts')
    },
  }
}
