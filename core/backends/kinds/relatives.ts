/** Places that speak Claude's own interface but for an address, a header and what they do not know: a row each. */
import { headerOf } from '../../http/headers.ts'
import { createScan, type Member, wantedKeys } from '../../json/scan.ts'
import { reshaped } from '../../json/splice.ts'
import type { HeaderPairs } from '../../ports.ts'
import type { Backend } from '../../settings.ts'
import { originOf } from '../address.ts'
import { ANTHROPIC } from './anthropic.ts'
import { BEDROCK } from './bedrock.ts'
import { foundryError, foundryVerdict } from './foundry-errors.ts'
import type { Addressed, ErrorAnswer, JudgedAnswer, Kind, Outgoing } from './kind.ts'

interface Row extends Pick<Kind, 'keyHeader' | 'lacks' | 'verdictOf'>, Partial<Pick<Kind, 'errorOf'>> {
  /** Headers that each request has. */
  headers?: (backend: Backend) => HeaderPairs
  /** Top-level members that it refuses and without which the answer stays the same. */
  hints?: readonly string[]
  /** It takes no header anthropic-beta. */
  takesNoBetas?: boolean
  hasModelList: boolean
}

function relative({ headers: added, hints = [], takesNoBetas = false, hasModelList, ...row }: Row): Kind {
  const wanted = wantedKeys(Object.fromEntries(['model', ...hints].map((key) => [key, 0])))
  const addressed = (backend: Backend, outgoing: Outgoing): Addressed => {
    const { origin, base } = originOf(backend.url)
    const { method, path, headers, model } = outgoing
    const name = model === undefined ? undefined : backend.upstreamModels.get(model)
    const reads = name !== undefined || hints.length > 0
    const changed = outgoing.body && reads ? changedBody(outgoing.body, wanted, name) : undefined
    const betas = takesNoBetas ? headers.filter(([header]) => header === 'anthropic-beta') : []
    const kept = betas.length > 0 ? headers.filter((header) => !betas.includes(header)) : headers
    const leftOut = [...(changed?.leftOut ?? []), ...betas.map(([header]) => header)]
    return {
      origin,
      method,
      path: base + path,
      headers: added ? [...kept, ...added(backend)] : kept,
      body: changed?.body ?? outgoing.body,
      ...(leftOut.length > 0 ? { leftOut } : {}),
    }
  }
  return {
    addressed,
    ...(hasModelList ? { check: { lists: true, request: addressed } } : {}),
    ...row,
  }
}

/** The body with the upstream's name of the model and without the other members of `wanted`; the same bytes if there are none. */
function changedBody(
  body: Uint8Array,
  wanted: ReturnType<typeof wantedKeys>,
  name: string | undefined,
): { body: Uint8Array; leftOut: string[] } {
  const members: Member[] = []
  createScan(wanted, (member) => members.push(member)).write(body)
  const hints = members.filter(({ key }) => key !== 'model')
  const leftOut = [...new Set(hints.map(({ key }) => key))]
  if (name === undefined && hints.length === 0) return { body, leftOut }
  const [first] = members.filter(({ key }) => key === 'model')
  const value = name === undefined && first ? textAt(body, first) : JSON.stringify(name)
  return { body: reshaped(body, members, `"model":${value}`), leftOut }
}

function textAt(body: Uint8Array, { start, end }: Member): string {
  return new TextDecoder().decode(body.subarray(start, end))
}

/** AWS checks who asks, in words of its own, before Claude is asked. */
const OF_AWS = {
  errorOf: (error: ErrorAnswer) => (isOfAmazon(error) ? (BEDROCK.errorOf?.(error) ?? error) : error),
  verdictOf: (answer: JudgedAnswer) => (isOfAmazon(answer) ? BEDROCK : ANTHROPIC).verdictOf(answer),
}

function isOfAmazon({ status, headers }: ErrorAnswer): boolean {
  return status >= 400 && headerOf(headers, 'x-amzn-errortype') !== undefined
}

const bearer = (key: string): [string, string] => ['authorization', `Bearer ${key}`]

/** Anthropic's own service, paid through AWS: https://platform.claude.com/docs/en/build-with-claude/claude-platform-on-aws */
export const CLAUDE_ON_AWS: Kind = relative({
  ...OF_AWS,
  keyHeader: bearer,
  headers: ({ workspaceId }) => [['anthropic-workspace-id', workspaceId]],
  hasModelList: true,
  lacks: new Set(),
})

/**
 * Models of a Foundry resource, named by their deployments. Its client has neither models nor batches:
 * https://github.com/anthropics/anthropic-sdk-typescript/blob/main/packages/foundry-sdk/src/client.ts
 */
export const FOUNDRY: Kind = relative({
  keyHeader: (key) => ['x-api-key', key],
  errorOf: foundryError,
  verdictOf: foundryVerdict,
  hasModelList: false,
  // https://platform.claude.com/docs/en/build-with-claude/fast-mode: on Anthropic's own interface alone.
  lacks: new Set(['fast', 'fallbacks', 'threads']),
})

/**
 * Bedrock's endpoint for Anthropic's interface. Nothing runs there beside the model, and it takes no betas:
 * https://docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api.html
 */
export const BEDROCK_MANTLE: Kind = relative({
  ...OF_AWS,
  keyHeader: bearer,
  hints: ['tags', 'diagnostics', 'context_management'],
  takesNoBetas: true,
  hasModelList: false,
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
})

/** Anthropic's own interface where models have other names, as at many relays. */
export const RENAMED: Kind = relative({
  keyHeader: ANTHROPIC.keyHeader,
  verdictOf: ANTHROPIC.verdictOf,
  hasModelList: true,
  lacks: ANTHROPIC.lacks,
})
