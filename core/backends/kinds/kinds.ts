/** All kinds of backends, by the name that the configuration gives them. */
import type { Backend, KindName } from '../../settings.ts'
import { ANTHROPIC } from './anthropic.ts'
import { BEDROCK } from './bedrock.ts'
import type { Kind } from './kind.ts'
import { BEDROCK_MANTLE, CLAUDE_ON_AWS, FOUNDRY, RENAMED } from './relatives.ts'
import { VERTEX } from './vertex.ts'

const KINDS: Readonly<Record<KindName, Kind>> = {
  anthropic: ANTHROPIC,
  bedrock: BEDROCK,
  'bedrock-mantle': BEDROCK_MANTLE,
  'claude-on-aws': CLAUDE_ON_AWS,
  foundry: FOUNDRY,
  vertex: VERTEX,
}

export function kindOf({ kind, upstreamModels }: Pick<Backend, 'kind' | 'upstreamModels'>): Kind {
  return kind === 'anthropic' && upstreamModels.size > 0 ? RENAMED : KINDS[kind]
}
