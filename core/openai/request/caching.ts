/** Marks of what is kept in Claude's cache: at most four, and of lifetimes that never grow towards the end. */
import type {
  Block,
  CacheControl,
  MessagesRequest,
  RedactedThinkingBlock,
  ThinkingBlock,
  Turn,
} from '../messages-api.ts'

const MOST_MARKS = 4
/** Prompts with tools and more characters (UTF-16 units) than this are cached. */
const CACHED_CHARACTERS = 4_000

/** Sets and takes away marks. `automatic`: a long prompt is kept although it has no mark at its end. `warn` gets what was changed. */
export function markCache(
  request: Pick<MessagesRequest, 'system' | 'messages' | 'tools'>,
  automatic: boolean,
  warn: (text: string) => void,
): void {
  const blocks = [...(request.system ?? []), ...request.messages.flatMap(({ content }) => content)]
  const marked = blocks.flatMap(withParts).filter((block) => block.cache_control)
  if (marked.length > MOST_MARKS) {
    warn(`cache marks: the last ${MOST_MARKS} are kept`)
    // The last ones cache the longest prompts.
    for (const block of marked.slice(0, -MOST_MARKS)) delete block.cache_control
  }
  const kept = marked.slice(-MOST_MARKS)
  const firstShort = kept.findIndex((block) => !isLongLived(block))
  const tooLong = firstShort < 0 ? [] : kept.slice(firstShort).filter(isLongLived)
  // Claude refuses them: https://platform.claude.com/docs/en/build-with-claude/prompt-caching#mixing-different-ttls
  if (tooLong.length > 0)
    warn('cache marks: behind one of five minutes, those of an hour keep for five minutes')
  for (const block of tooLong) block.cache_control = { type: 'ephemeral' }
  if (automatic && request.tools && marked.length < MOST_MARKS && isLong(blocks)) markEnd(request.messages)
}

/** Marks the last block, unless it has a mark: not the request as a whole, because Bedrock does not know that. */
function markEnd(messages: readonly Turn[]) {
  const content = messages.at(-1)?.content
  const last = content?.at(-1)
  if (!last || isThinking(last) || withParts(last).some((one) => one.cache_control)) return
  // A copy, because some blocks are the same in all requests.
  content?.splice(-1, 1, { ...last, cache_control: { type: 'ephemeral' } })
}

function isLongLived({ cache_control }: { cache_control?: CacheControl }): boolean {
  return cache_control?.ttl === '1h'
}

/** The block and, of a tool's result, what is in it: whatever may have a mark. */
function withParts(block: Block): { cache_control?: CacheControl }[] {
  if (block.type === 'tool_result') return [...block.content, block]
  return isThinking(block) ? [] : [block]
}

function isThinking(block: Block): block is ThinkingBlock | RedactedThinkingBlock {
  return block.type === 'thinking' || block.type === 'redacted_thinking'
}

function isLong(blocks: readonly Block[]): boolean {
  let length = 0
  for (const block of blocks) {
    for (const part of block.type === 'tool_result' ? block.content : [block])
      if (part.type === 'text') length += part.text.length
    if (length > CACHED_CHARACTERS) return true
  }
  return false
}
