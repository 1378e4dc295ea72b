/**
 * Claude on Amazon Bedrock, by InvokeModel:
 * https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
 */
import * as z from 'zod'
import type { Verdict } from '../../calls/verdict.ts'
import { wholeBody } from '../../calls/whole-body.ts'
import { mediaTypeOf } from '../../http/headers.ts'
import { parsedJson } from '../../json/parse.ts'
import type { Clock, HeaderPairs, MaybePromise, UpstreamReply } from '../../ports.ts'
import type { Backend } from '../../settings.ts'
import { originOf } from '../address.ts'
import { ANTHROPIC } from './anthropic.ts'
import { bedrockError } from './bedrock-errors.ts'
import { asServerSentEvents } from './bedrock-stream.ts'
import { certainCooldown } from './cloud-errors.ts'
import { type CloudRules, cloudRequest, countsTokens, knownBetas } from './cloud-request.ts'
import type { Addressed, ErrorAnswer, JudgedAnswer, Kind, Outgoing } from './kind.ts'

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()
const EVENT_STREAM = 'application/vnd.amazon.eventstream'
const COUNT_BYTES = 64 * 1024
const Counted = z.looseObject({ inputTokens: z.number() })
/** Where requests of an inference profile may be served; the models themselves have names without it. */
const PROFILE = /^(?:us|us-gov|eu|apac|jp|au|ca|global)\.(?=anthropic\.)/
const REMOVED = new Set(['model', 'stream'])

const RULES: CloudRules = {
  version: 'bedrock-2023-05-31',
  betasInBody: true,
  // https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html and
  // https://github.com/BerriAI/litellm/blob/main/litellm/anthropic_beta_headers_config.json
  betas: knownBetas([
    'compact-2026-01-12',
    'compact-2026-09-04',
    'computer-use-2025-01-24',
    'computer-use-2025-11-24',
    'context-1m-2025-08-07',
    'context-management-2025-06-27',
    'dangerous-tool-use-2026-09-03',
    'effort-2025-11-24',
    'fine-grained-tool-streaming-2025-05-14',
    'interleaved-thinking-2025-05-14',
    'mid-conversation-output-config-2026-07-01',
    'mid-conversation-tool-changes-2026-07-01',
    'thinking-binding-controls-2026-08-01',
    'thinking-display-updates-2026-08-18',
    'thinking-token-count-2026-05-13',
    'tool-search-tool-2025-10-19',
  ]),
  hints: new Map([
    ['cache_control', undefined],
    ['context_management', 'context-management-2025-06-27'],
    ['diagnostics', undefined],
    ['service_tier', undefined],
    ['tags', undefined],
  ]),
}

export const BEDROCK: Kind = {
  addressed,
  keyHeader: (key) => ['authorization', `Bearer ${key}`],
  answered,
  errorOf: (error) => bedrockError({ ...error, headers: ourHeaders(error.headers) }),
  verdictOf,
  // https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock-legacy: images and documents as base64 alone,
  // and neither the Files API nor anything that runs on Anthropic's side.
  lacks: new Set([
    'url_sources',
    'file_sources',
    'web_search',
    'server_tools',
    'skills',
    'mcp_servers',
    'fallbacks',
    'fast',
    'threads',
  ]),
}

function addressed(backend: Backend, outgoing: Outgoing): Addressed {
  const { origin, base } = originOf(backend.url)
  const { method, path, body = new Uint8Array(), model = '', stream } = outgoing
  const counts = countsTokens(path)
  const name = backend.upstreamModels.get(model) ?? model
  const made = cloudRequest(
    RULES,
    { headers: outgoing.headers, body },
    // Counting takes what an invocation would, which has max_tokens always.
    { removed: REMOVED, added: (hasMaxTokens) => (counts && !hasMaxTokens ? ',"max_tokens":1' : '') },
  )
  const target = counts ? 'count-tokens' : stream ? 'invoke-with-response-stream' : 'invoke'
  const modelId = counts ? name.replace(PROFILE, '') : name
  return {
    origin,
    method,
    path: `${base}/model/${encodeURIComponent(modelId)}/${target}`,
    headers: requestHeaders(made.headers),
    body: counts ? countBody(made.body) : made.body,
    leftOut: made.leftOut,
  }
}

/** Bedrock's `accept` is about the model's answer, which is JSON also within an event stream. */
function requestHeaders(headers: HeaderPairs): HeaderPairs {
  const kept = headers.filter(
    ([name]) => name !== 'accept' && name !== 'content-type' && !name.startsWith('anthropic-'),
  )
  return [...kept, ['accept', 'application/json'], ['content-type', 'application/json']]
}

function countBody(invocation: Uint8Array): Uint8Array {
  return ENCODER.encode(`{"input":{"invokeModel":{"body":"${base64(invocation)}"}}}`)
}

function base64(bytes: Uint8Array): string {
  // A multiple of three, so that the pieces can be joined, and few enough to be arguments.
  const step = 24_000
  let text = ''
  for (let at = 0; at < bytes.length; at += step) {
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + step)))
  }
  return text
}

function answered(
  reply: UpstreamReply,
  { path }: Outgoing,
  { clock }: { clock: Clock },
): MaybePromise<UpstreamReply> {
  if (reply.status >= 300) return reply
  const ours = { ...reply, headers: ourHeaders(reply.headers) }
  if (mediaTypeOf(reply.headers) === EVENT_STREAM) return asServerSentEvents(ours, clock)
  return countsTokens(path) ? counted(ours) : ours
}

async function counted(reply: UpstreamReply): Promise<UpstreamReply> {
  const whole = await wholeBody(reply.pipe, COUNT_BYTES)
  const { inputTokens } = Counted.parse(parsedJson(DECODER.decode(whole)))
  const body = ENCODER.encode(JSON.stringify({ input_tokens: inputTokens }))
  const headers = reply.headers.filter(([name]) => name !== 'content-length')
  return { ...reply, headers, first: body, pipe: (sink) => sink.write(body), cancel: () => {} }
}

/** Its request id under Anthropic's name. */
function ourHeaders(headers: HeaderPairs): HeaderPairs {
  return headers.map(([name, value]) => [name === 'x-amzn-requestid' ? 'request-id' : name, value])
}

function verdictOf(answer: JudgedAnswer): Verdict {
  const named: ErrorAnswer = answer.status < 400 ? answer : bedrockError(answer)
  return certainCooldown(ANTHROPIC.verdictOf({ ...answer, ...named }), answer.now)
}
