/**
 * What an answer tells of a prompt that was not used as it could have been: a cache that was missed, thinking that was
 * dropped. See https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics and, in the SDK's types,
 * BetaCacheMissReason and BetaInputTransformation.
 */
import * as z from 'zod'

export const LOSS_KINDS = ['cache_miss', 'thinking_dropped', 'thinking_mismatch_allowed'] as const
export type LossKind = (typeof LOSS_KINDS)[number]

/** One reason in one answer. */
export interface PromptLoss {
  kind: LossKind
  /** As the upstream names it; `other` for names that are not known, so that there are only so many. */
  reason: string
  /** Blocks of thinking; 0 for a cache. */
  blocks: number
  /** About how many input tokens would have come from the cache. */
  tokens: number
}

const REASONS = new Set([
  'model_changed',
  'system_changed',
  'tools_changed',
  'messages_changed',
  'previous_message_not_found',
  'unavailable',
  'model_binding_mismatch',
  'prefix_binding_mismatch',
  'organization_binding_mismatch',
  'end_user_binding_mismatch',
])
const MOST_TOKENS = 1_000_000_000

const Diagnostics = z.object({
  cache_miss_reason: z.object({
    type: z.string(),
    cache_missed_input_tokens: z.int().min(0).max(MOST_TOKENS).catch(0),
  }),
})
const Transformation = z.object({ type: z.string(), reason: z.string().catch('other') })

/** `diagnostics` and `input_transformations` as they stand in an answer, or undefined. Never throws. */
export function promptLossesOf(diagnostics: unknown, transformations: unknown): PromptLoss[] {
  const losses: PromptLoss[] = []
  // Nearly every answer has none, and a parse that fails costs much.
  const miss = diagnostics ? Diagnostics.safeParse(diagnostics).data?.cache_miss_reason : undefined
  if (miss) {
    const tokens = miss.cache_missed_input_tokens
    losses.push({ kind: 'cache_miss', reason: known(miss.type), blocks: 0, tokens })
  }
  for (const entry of Array.isArray(transformations) ? transformations : []) {
    const { type, reason = '' } = Transformation.safeParse(entry).data ?? {}
    const kind = LOSS_KINDS.find((one) => one === type)
    if (!kind || kind === 'cache_miss') continue
    const same = losses.find((loss) => loss.kind === kind && loss.reason === known(reason))
    if (same) same.blocks += 1
    else losses.push({ kind, reason: known(reason), blocks: 1, tokens: 0 })
  }
  return losses
}

function known(reason: string): string {
  return REASONS.has(reason) ? reason : 'other'
}
