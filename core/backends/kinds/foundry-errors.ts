/**
 * What Azure says itself, before a call of Foundry reaches Claude: `{"error":{"code","message"}}`, without Anthropic's type. See
 * https://learn.microsoft.com/en-us/azure/foundry/foundry-models/how-to/use-foundry-models-claude
 */
import type { Verdict } from '../../calls/verdict.ts'
import { ANTHROPIC } from './anthropic.ts'
import { certainCooldown, clientError } from './cloud-errors.ts'
import { envelopeOf } from './error-envelope.ts'
import type { ErrorAnswer, JudgedAnswer } from './kind.ts'

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
}
/** There is no deployment of this name, or not yet. */
const NO_DEPLOYMENT = /^(DeploymentNotFound|unknown_model|OperationNotSupported)$/i

/** Azure's own error in Anthropic's envelope; Claude's as it is. */
export function foundryError(error: ErrorAnswer): ErrorAnswer {
  const envelope = envelopeOf(error.body)
  if (envelope?.type !== '') return error
  const { status } = error
  const type = TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error')
  return clientError(error, { status, type, message: envelope.message })
}

export function foundryVerdict(answer: JudgedAnswer): Verdict {
  const verdict = ANTHROPIC.verdictOf(answer)
  if (answer.status < 400) return verdict
  const { code = '', type = '' } = envelopeOf(answer.body) ?? {}
  if (type === '' && NO_DEPLOYMENT.test(code))
    return { kind: 'model_not_offered', reason: `answered ${code}` }
  // It sends no headers about limits, and its quota is the deployment's.
  return certainCooldown(verdict, answer.now)
}
