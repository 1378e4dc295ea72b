/** Goes on with messages that Claude paused, each time with a call of its own: metered and limited like any other. */
import type { Call } from '../calls/call.ts'
import { type ForwardParts, forward } from '../calls/forward.ts'
import { inspect } from '../calls/inspect.ts'
import { factsOf } from '../calls/receive.ts'
import { Refusal } from '../errors.ts'
import type { Reply } from '../ports.ts'
import { type MessagesRequest, requestText } from './messages-api.ts'
import type { PausedContent } from './reply/pauses.ts'

const ENCODER = new TextEncoder()

/**
 * Sends the content so far back to the backend that wrote it, because its search results are readable for that account only.
 * Undefined where the message cannot go on: its tokens are used up, a limit is reached, or the backend fails. Throws
 * ClientGone.
 */
export async function continued(
  deps: ForwardParts,
  { call, request, backend }: { call: Call; request: MessagesRequest; backend: string },
  paused: PausedContent,
  times: number,
): Promise<Reply | undefined> {
  const text = continuedRequest(request, paused)
  if (text === undefined) return undefined
  const body = ENCODER.encode(text)
  const { conversation, caller, headers } = call
  const next: Call = {
    ...call,
    ...factsOf(inspect(body), { caller, headers, body }),
    id: `${call.id}_${times + 1}`,
    body,
    conversation,
    boundTo: backend,
    createdAt: deps.clock.now(),
    startedAt: deps.clock.elapsed(),
  }
  try {
    const { native: _, ...messages } = next
    const reply = await forward(deps, messages)
    if (reply.status === 200) return reply
    await reply.pipe({ write() {} })
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
  }
}

/** The request with the paused content behind it; undefined if no tokens are left to go on with. */
function continuedRequest(
  request: MessagesRequest,
  { blocks, outputTokens }: PausedContent,
): string | undefined {
  const { thinking, messages } = request
  const budget = thinking && 'budget_tokens' in thinking ? Number(thinking.budget_tokens) : 0
  const max_tokens = request.max_tokens - outputTokens
  if (max_tokens <= budget) return undefined
  const last = messages.at(-1)
  const begun = last?.role === 'assistant' ? last.content : []
  const before = last?.role === 'assistant' ? messages.slice(0, -1) : messages
  const turn = { role: 'assistant' as const, content: [...begun, ...blocks] }
  return requestText({ ...request, max_tokens, messages: [...before, turn] })
}
