/** Asks for a summary in the place of a conversation. */
import type { ResponsesRequest } from './responses-shape.ts'

type Items = Exclude<ResponsesRequest['input'], string>

const TASK = `Write a summary of this conversation, for yourself: it will take the place of everything before it, so nothing
that is needed to go on may be missing. Name what the user wants, what was decided and why, what was done and found (files,
functions, commands and their results, exactly), and what is left to do. Answer with the summary alone.`

/** A message of the user as an item. */
export function userItem(text: string) {
  return { type: 'message' as const, role: 'user' as const, content: [{ type: 'input_text' as const, text }] }
}

/** The input as items, less the last one if that only asks for a compaction. */
export function conversationItems({ input }: ResponsesRequest): Items {
  if (typeof input === 'string') return [userItem(input)]
  return asksForCompaction({ input }) ? input.slice(0, -1) : input
}

/** The last item asks for a compaction in the place of an answer. */
export function asksForCompaction({ input }: Pick<ResponsesRequest, 'input'>): boolean {
  return typeof input !== 'string' && input.at(-1)?.type === 'compaction_trigger'
}

/** The request that asks for the summary instead. */
export function summaryRequest(asked: ResponsesRequest): ResponsesRequest {
  const { text: _, max_output_tokens: __, ...rest } = asked
  return { ...rest, input: [...conversationItems(asked), userItem(TASK)], tool_choice: 'none' }
}
