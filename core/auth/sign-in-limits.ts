/**
 * How often anybody may try to sign in, counted in this process's memory, so that what is refused here costs no query. The
 * limits in core/auth/codes.ts come after it and hold across processes and restarts.
 */
import { Refusal } from '../errors.ts'
import { createThrottle } from '../limits/throttle.ts'
import type { Clock } from '../ports.ts'

/** 300 at once, because an office behind one router may sign in at the same time; then one every 2 s. */
const BY_ADDRESS = { burst: 300, everyMs: 2_000 }
/** Attempts without a code cannot succeed, so that few are enough. */
const BY_ACCOUNT = { burst: 30, everyMs: 20_000 }
/** All unknown browsers together, which bounds what an attacker with many addresses can do. */
const BY_STRANGERS = { burst: 2_000, everyMs: 1_800 }

export interface SignInLimits {
  /** Counts a change that needs no session. `address`: an IP address or an IPv6 /64. Throws a Refusal rate_limited. */
  request(address: string): void
  /** Counts a request with a key that no program has. Throws a Refusal rate_limited. */
  program(address: string): void
  /** Counts a request from a browser that the account does not know. Throws a Refusal too_many_attempts. */
  stranger(): void
  /** Counts an attempt without a code; a known `browser` has its own count. Throws a Refusal too_many_attempts. */
  guess(account: string, browser: string | undefined): void
}

export function createSignInLimits(clock: Clock): SignInLimits {
  const addresses = createThrottle(clock, BY_ADDRESS)
  const programs = createThrottle(clock, BY_ADDRESS)
  const accounts = createThrottle(clock, BY_ACCOUNT)
  const strangers = createThrottle(clock, BY_STRANGERS)
  const pass = (waitMs: number, code: 'rate_limited' | 'too_many_attempts') => {
    if (waitMs > 0)
      throw new Refusal(code, 'Too many attempts. Please try again later.', { retryAfterMs: waitMs })
  }
  return {
    request: (address) => pass(addresses.take(address), 'rate_limited'),
    // A program that goes on with a wrong key keeps nobody at its address from signing in.
    program: (address) => pass(programs.take(address), 'rate_limited'),
    stranger: () => pass(strangers.take(''), 'too_many_attempts'),
    guess(account, browser) {
      pass(accounts.take(browser === undefined ? account : `${account} ${browser}`), 'too_many_attempts')
    },
  }
}
