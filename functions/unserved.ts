/** Addresses that no route has: what a client most likely meant, and in which form it reads errors. */
import { nothingHere, Refusal } from '../core/errors.ts'
import type { Dialect, Route } from './route.ts'

/**
 * Resources that OpenAI has below /v1 and Anthropic has not, with those that it has given up
 * (https://github.com/openai/openai-node/blob/master/api.md).
 */
const OF_OPENAI = new Set(
  `assistants audio batches chat chatkit completions containers conversations edits embeddings engines evals
  fine-tunes fine_tuning graders images moderations organization projects realtime responses threads uploads
  vector_stores videos`.split(/\s+/),
)
const OF_THAT_HERE =
  "There is nothing at this address. Of OpenAI's interfaces, chat completions, responses and models are here."
/** Prefixes that base URLs of other gateways have. */
const VENDORS = new Set(['anthropic', 'openai'])

/** What is said at an address that no route has. */
export interface Unserved {
  dialect: Dialect
  refusal: Refusal
}

/** `servedAt` finds the route of a path; `base` is the gateway's own origin, as its callers see it. */
export function unserved(
  path: string,
  servedAt: (path: string) => Pick<Route, 'path' | 'tier' | 'dialect'> | undefined,
  base: () => string,
): Unserved {
  const segments = path
    .toLowerCase()
    .split('/')
    .filter((segment) => segment !== '')
  const meant = servedAt(`/v1/${callIn(segments)}`)
  if (meant?.tier === 'key') {
    return { dialect: meant.dialect ?? 'api', refusal: new Refusal('not_found', correction(meant, base())) }
  }
  const dialect = dialectOf(segments)
  return { dialect, refusal: dialect === 'openai' ? new Refusal('not_found', OF_THAT_HERE) : nothingHere() }
}

/** What stands behind a base URL: the path without all that clients put before it, doubled ones once. */
function callIn(segments: readonly string[]): string {
  const last = segments.lastIndexOf('v1')
  const from = last < 0 && VENDORS.has(segments[0] ?? '') ? 1 : last + 1
  return segments
    .slice(from)
    .join('/')
    .replace(/^(.+)\/\1$/, '$1')
}

/** Below /v1 the client most likely speaks Claude's API, and below /managed it is Claude Code. */
function dialectOf([first, second = '']: readonly string[]): Dialect {
  if (first === 'scim' || first === 'oauth') return first
  if (first === 'managed') return 'anthropic'
  if (first !== 'v1') return 'api'
  if (second === 'organizations') return 'anthropic-admin'
  return OF_OPENAI.has(second) ? 'openai' : 'anthropic'
}

function correction({ path, dialect }: Pick<Route, 'path' | 'dialect'>, base: string): string {
  const ofClaude = `${base} (ANTHROPIC_BASE_URL)`
  const ofOpenAi = `${base}/v1 (OPENAI_BASE_URL)`
  const address = base + path.replaceAll(/:(\w+)/g, '{$1}')
  const set = path.startsWith('/v1/models')
    ? `${ofClaude}, or to ${ofOpenAi}`
    : dialect === 'openai'
      ? ofOpenAi
      : ofClaude
  return `There is nothing at this address; what you look for is at ${address}. Set your client's base URL to ${set}, without a slash at its end.`
}
