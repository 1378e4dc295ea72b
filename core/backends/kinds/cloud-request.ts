/** What requests to the clouds have in common: the version is in the body, and only some betas and hints are known there. */
import { parsedJson } from '../../json/parse.ts'
import { createScan, type Member, wantedKeys } from '../../json/scan.ts'
import { reshaped } from '../../json/splice.ts'
import type { HeaderPairs } from '../../ports.ts'

/** How a cloud wants requests. */
export interface CloudRules {
  /** The value of `anthropic_version`. */
  version: string
  /** The betas it knows, by Anthropic's names of them. Any other is left out, because it would refuse the whole call. */
  betas: ReadonlyMap<string, string>
  /** Members that it does not know and without which the answer is the same, with the beta that would make it know one. */
  hints: ReadonlyMap<string, string | undefined>
  /** Whether betas go in the body instead of the header. */
  betasInBody: boolean
}

export interface CloudRequest {
  /** Without those that went into the body. */
  headers: HeaderPairs
  body: Uint8Array
  leftOut: string[]
}

const LONGEST_BETAS = 16 * 1024
const WANTED = wantedKeys({
  model: 0,
  stream: 0,
  max_tokens: 0,
  anthropic_version: 0,
  anthropic_beta: LONGEST_BETAS,
  cache_control: 0,
  context_management: 0,
  diagnostics: 0,
  service_tier: 0,
  tags: 0,
})

/** The request with its top level changed as `rules` say and without the members `removed`; `added` are written before all others. */
export function cloudRequest(
  rules: CloudRules,
  { headers, body }: { headers: HeaderPairs; body: Uint8Array },
  change: { removed: ReadonlySet<string>; added: (hasMaxTokens: boolean) => string },
): CloudRequest {
  const members: Member[] = []
  createScan(WANTED, (member) => members.push(member)).write(body)
  const asked = [...betasOf(headers), ...members.flatMap(betasIn)]
  const betas = [...new Set(asked.flatMap((beta) => rules.betas.get(beta) ?? []))]
  const hints = members.filter(({ key }) => {
    const beta = rules.hints.get(key)
    return rules.hints.has(key) && (beta === undefined || !betas.includes(beta))
  })
  const removed = members.filter(
    (member) =>
      change.removed.has(member.key) ||
      member.key === 'anthropic_version' ||
      member.key === 'anthropic_beta' ||
      hints.includes(member),
  )
  const hasMaxTokens = members.some(({ key }) => key === 'max_tokens')
  const inBody = rules.betasInBody && betas.length > 0 ? `,"anthropic_beta":${JSON.stringify(betas)}` : ''
  const added = `"anthropic_version":"${rules.version}"${inBody}${change.added(hasMaxTokens)}`
  const unknown = [...new Set(asked)].filter((beta) => !rules.betas.has(beta))
  return {
    headers: [
      ...headers.filter(([name]) => name !== 'anthropic-version' && name !== 'anthropic-beta'),
      ...(!rules.betasInBody && betas.length > 0
        ? [['anthropic-beta', betas.join(',')] satisfies [string, string]]
        : []),
    ],
    body: reshaped(body, removed, added),
    leftOut: [...new Set(hints.map(({ key }) => key)), ...unknown.map((beta) => `anthropic-beta: ${beta}`)],
  }
}

function betasOf(headers: HeaderPairs): string[] {
  return headers
    .filter(([name]) => name === 'anthropic-beta')
    .flatMap(([, value]) => value.split(','))
    .map((beta) => beta.trim())
    .filter((beta) => beta !== '')
}

function betasIn({ key, text }: Member): string[] {
  const value = key === 'anthropic_beta' ? parsedJson(text) : undefined
  return Array.isArray(value) ? value.filter((beta): beta is string => typeof beta === 'string') : []
}

/** Whether this is a call of count_tokens. */
export function countsTokens(path: string): boolean {
  return path.split('?', 1)[0] === '/v1/messages/count_tokens'
}

/** The names that a cloud has for betas: mostly their own. */
export function knownBetas(own: readonly string[]): ReadonlyMap<string, string> {
  return new Map([
    ...own.map((beta) => [beta, beta] as const),
    // What Claude Code asks Anthropic for, and the part of it that the clouds have.
    ['advanced-tool-use-2025-11-20', 'tool-search-tool-2025-10-19'],
  ])
}
