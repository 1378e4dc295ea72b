/**
 * Claude on Google Cloud: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude. Answers are
 * Anthropic's, but for Google's own errors.
 */
import type { Verdict } from '../../calls/verdict.ts'
import { createScan, type Member, wantedKeys } from '../../json/scan.ts'
import { spliced } from '../../json/splice.ts'
import type { Backend } from '../../settings.ts'
import { originOf } from '../address.ts'
import { ANTHROPIC } from './anthropic.ts'
import { certainCooldown } from './cloud-errors.ts'
import { type CloudRules, cloudRequest, countsTokens, knownBetas } from './cloud-request.ts'
import type { Addressed, ErrorAnswer, JudgedAnswer, Kind, Outgoing } from './kind.ts'
import { vertexError } from './vertex-errors.ts'

const MODEL = wantedKeys({ model: 0 })
const ONLY_MODEL = new Set(['model'])
const NOTHING: ReadonlySet<string> = new Set()

const RULES: CloudRules = {
  version: 'vertex-2023-10-16',
  betasInBody: false,
  // https://github.com/BerriAI/litellm/blob/main/litellm/anthropic_beta_headers_config.json
  betas: knownBetas([
    'afk-mode-2026-01-31',
    'claude-code-20250219',
    'compact-2026-01-12',
    'computer-use-2025-01-24',
    'computer-use-2025-11-24',
    'context-1m-2025-08-07',
    'context-management-2025-06-27',
    'dangerous-tool-use-2026-09-03',
    'effort-2025-11-24',
    'fine-grained-tool-streaming-2025-05-14',
    'inline-tools-2026-09-15',
    'interleaved-thinking-2025-05-14',
    'mid-conversation-output-config-2026-07-01',
    'mid-conversation-system-clear-at-2026-08-21',
    'mid-conversation-tool-changes-2026-07-01',
    'model-context-window-exceeded-2025-08-26',
    'output-128k-2025-02-19',
    'pdfs-2024-09-25',
    'per-turn-control-2026-07-01',
    'structured-outputs-2025-11-13',
    'structured-outputs-2025-12-15',
    'task-budgets-2026-03-13',
    'thinking-binding-controls-2026-08-01',
    'thinking-display-updates-2026-08-18',
    'thinking-token-count-2026-05-13',
    'token-counting-2024-11-01',
    'token-efficient-tools-2025-02-19',
    'tool-examples-2025-10-29',
    'tool-search-tool-2025-10-19',
    'web-search-2025-03-05',
  ]),
  hints: new Map([
    ['context_management', 'context-management-2025-06-27'],
    ['diagnostics', undefined],
    ['service_tier', undefined],
    ['tags', undefined],
  ]),
}

export const VERTEX: Kind = {
  addressed,
  keyHeader: (token) => ['authorization', `Bearer ${token}`],
  errorOf: vertexError,
  verdictOf,
  // https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai: web search is the only tool that runs there, and
  // images and documents come as base64.
  lacks: new Set([
    'url_sources',
    'file_sources',
    'server_tools',
    'skills',
    'mcp_servers',
    'fallbacks',
    'fast',
    'threads',
  ]),
  // "The request size (… bytes) exceeds 30.000MB limit."
  mostBytes: 30_000_000,
}

function addressed(backend: Backend, outgoing: Outgoing): Addressed {
  const { origin, base } = originOf(backend.url)
  const { method, path, body = new Uint8Array(), model = '', stream } = outgoing
  const counts = countsTokens(path)
  const name = backend.upstreamModels.get(model) ?? model
  const made = cloudRequest(
    RULES,
    { headers: outgoing.headers, body },
    { removed: counts ? NOTHING : ONLY_MODEL, added: () => '' },
  )
  const target = counts
    ? 'count-tokens:rawPredict'
    : `${segment(name)}:${stream ? 'streamRawPredict' : 'rawPredict'}`
  const models = `projects/${segment(backend.project)}/locations/${segment(backend.region)}/publishers/anthropic/models`
  return {
    origin,
    method,
    path: `${base}/v1/${models}/${target}`,
    headers: made.headers,
    // Counting reads the model from the body.
    body: counts && name !== model ? withModel(made.body, name) : made.body,
    leftOut: made.leftOut,
  }
}

/** The @ before a version is written as it is, as Google's own examples have it. */
function segment(text: string): string {
  return encodeURIComponent(text).replaceAll('%40', '@')
}

function withModel(body: Uint8Array, name: string): Uint8Array {
  const members: Member[] = []
  createScan(MODEL, (member) => members.push(member)).write(body)
  return spliced(
    body,
    members.map(({ start, end }) => ({ start, end, text: JSON.stringify(name) })),
  )
}

function verdictOf(answer: JudgedAnswer): Verdict {
  const named: ErrorAnswer = answer.status < 400 ? answer : vertexError(answer)
  return certainCooldown(ANTHROPIC.verdictOf({ ...answer, ...named }), answer.now)
}
