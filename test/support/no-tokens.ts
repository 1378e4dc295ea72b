import type { AccessTokens } from '../../core/devices/access-token.ts'

/** For tests in which no device calls. */
export const NO_TOKENS: AccessTokens = {
  sign: () => Promise.reject(new Error('no tokens here')),
  known: () => undefined,
  verify: () => Promise.resolve(undefined),
}
