import type { SignInProblem } from '../../../../core/identity/refused.ts'
import type { Key } from '../../lib/i18n/index.svelte.ts'

const SENTENCES = {
  expired: 'login.problem.expired',
  failed: 'login.problem.failed',
  provider_unavailable: 'login.problem.provider_unavailable',
  not_allowed: 'login.problem.not_allowed',
  no_account: 'login.problem.no_account',
  address_taken: 'login.problem.address_taken',
  account_disabled: 'login.problem.account_disabled',
} satisfies Record<SignInProblem, Key>

/** What went wrong at a provider, as the gateway put it into the address. */
export function problemOf(code: string | null): Key | undefined {
  return new Map<string, Key>(Object.entries(SENTENCES)).get(code ?? '')
}
