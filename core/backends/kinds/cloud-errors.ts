/**
 * What the clouds' own errors have in common when they are put into Anthropic's envelope: which shape of a request was refused,
 * in the words by which Claude Code adapts itself, and nothing of who our account is.
 */
import type { Verdict } from '../../calls/verdict.ts'
import type { ErrorAnswer } from './kind.ts'

const ENCODER = new TextEncoder()
const COOLDOWN_MS = 10_000

/** How Anthropic names an error and answers it. */
export interface NamedError {
  status: number
  type: string
  message: string
}

/** A refusal in the words of a cloud, the first that matches, and what Claude Code 2.1.228 and newer calls it. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [
    /\brole .{0,2}system.{0,2} (?:must|is not)|Unexpected role|parameter for the initial system prompt/i,
    'mid_conv_system',
  ],
  [
    /cache_control(?!.*(?:\bttl\b|empty text block|tool_result)).*(?:not permitted|cannot be set|unknown|unrecognized)/i,
    'cache_control_field',
  ],
  [
    /signature in thinking block|redacted_thinking block|thinking blocks?.*(?:cannot be modified|invalid signature)/i,
    'thinking_signature',
  ],
  [/thinking\.type[^a-z]{1,8}enabled.*not supported/i, 'thinking_type:enabled'],
  [
    /thinking\.type[^a-z]{1,8}adaptive.*not supported|\badaptive thinking is not supported/i,
    'thinking_type:adaptive',
  ],
  [/output_config\.format: extra inputs are not permitted/i, 'structured_outputs_unsupported'],
  [
    /effort parameter.*not support|output_config.*(?:extra inputs are not permitted|requires a model)/i,
    'effort_unsupported',
  ],
  [/too much media/i, 'media_budget'],
  [
    /could not process image|image (?:exceeds|dimensions exceed|cannot be empty|file is empty)|\.(?:source|image)\b.*image/i,
    'image_block',
  ],
  [
    /could not process pdf|pdf pages|the pdf specified|pdf cannot be empty|does not support pdf/i,
    'document_block',
  ],
  [/(?:prompt|input) is too long|(?:request|message) size.*exceeds.*MB limit/i, 'prompt_too_long'],
  [/input length and `max_tokens` exceed context limit/i, 'max_tokens_context_overflow'],
]
/** Claude Code knows this one as it is. */
const TOO_LONG = /^input is too long\.?$/i
const BETA = /anthropic[-_]beta.*?\b([a-z][a-z0-9-]*-20\d{2}-\d{2}-\d{2})\b/i

/** A cloud's error as a client may see it: `named` with the words for what was refused, in Anthropic's envelope. */
export function clientError({ headers }: ErrorAnswer, { status, type, message }: NamedError): ErrorAnswer {
  const shown = status === 400 || status === 413 ? withShape(message) : message
  const body = ENCODER.encode(JSON.stringify({ type: 'error', error: { type, message: shown } }))
  const kept = headers.filter(([name]) => name !== 'content-type' && name !== 'content-length')
  return { status, headers: [...kept, ['content-type', 'application/json']], body }
}

/** The token comes first and a space behind it, because clients look for exactly that. */
function withShape(message: string): string {
  if (TOO_LONG.test(message.trim())) return message
  const [, beta] = BETA.exec(message) ?? []
  const token = beta ? `beta_header:${beta}` : SHAPES.find(([words]) => words.test(message))?.[1]
  return token ? `capability_rejected: ${token} (${message})` : message
}

/** A verdict of the clouds, whose quotas are always the account's: no caller has one of their own there. */
export function certainCooldown(verdict: Verdict, now: number): Verdict {
  if (verdict.kind !== 'pair_cooldown' || verdict.untilMs !== undefined) return verdict
  return { ...verdict, untilMs: now + COOLDOWN_MS }
}
