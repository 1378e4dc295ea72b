/** What a failed exchange says, from the code of its error. Pure; drivers only mark what failed while it connected. */
import type { Verdict } from '../calls/verdict.ts'
import { CredentialsError } from './credentials.ts'

/** No connection came about: the address did not resolve, refused, took too long or failed TLS. */
export class ConnectError extends Error {
  constructor(cause: unknown) {
    super('no connection', { cause })
    this.name = 'ConnectError'
  }
}

/** This machine ran out of something, or has no network: https://man7.org/linux/man-pages/man3/errno.3.html */
const LOCAL = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENOMEM', 'ENETUNREACH', 'ENETDOWN'])

/** The verdict on an exchange that ended with `cause` before its first body byte. */
export function verdictOfFault(cause: unknown): Extract<
  Verdict,
  {
    kind: 'ours' | 'account_unreachable' | 'pair_failed'
  }
> {
  const reason = describe(cause)
  if (LOCAL.has(codeOf(cause) ?? '')) return { kind: 'ours', reason }
  if (cause instanceof CredentialsError) return { kind: 'account_unreachable', reason: 'no credentials' }
  if (cause instanceof ConnectError) return { kind: 'account_unreachable', reason }
  return { kind: 'pair_failed', reason, fromNetwork: true }
}

/** What went wrong on the wire, without addresses or secrets. */
function describe(cause: unknown): string {
  return cause instanceof Error ? `network error (${codeOf(cause) ?? cause.name})` : 'network error'
}

function codeOf(cause: unknown): string | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') return error.code
    // Node tries every address of a name and keeps one error for each in `errors`.
    if (error instanceof AggregateError) return codeOf(error.errors[0])
  }
  return undefined
}
