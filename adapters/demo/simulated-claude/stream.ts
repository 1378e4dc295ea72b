/** An answer as Claude's stream (core/calls/PROTOCOL.md, Streams) or as one message. */
import type { SimulatedContainer } from './account.ts'
import type { Answer, AnswerBlock } from './answer.ts'
import type { SafeguardResult } from './safeguards.ts'
import type { Usage } from './usage.ts'

const JSON_PIECE = 16

export interface Reply {
  id: string
  model: string
  answer: Answer
  usage: Usage
  container: SimulatedContainer | undefined
  /** Undefined where the request does not ask for any. */
  safeguards: SafeguardResult[] | undefined
}

/** The whole message; without `answer`, the message of message_start. */
export function messageOf({ id, model, usage, container, safeguards }: Reply, answer?: Answer) {
  return {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: answer?.blocks ?? [],
    stop_reason: answer?.stopReason ?? null,
    stop_sequence: null,
    usage: answer ? { ...usage, output_tokens: answer.outputTokens } : usage,
    ...(container ? { container } : {}),
    ...(answer && safeguards ? { safeguard_results: safeguards } : {}),
  }
}

/** The SSE frames of a streamed message, each to be written separately. */
export function* framesOf(reply: Reply): Generator<string> {
  const { answer, usage, container, safeguards } = reply
  yield frame('message_start', { message: messageOf(reply) })
  for (const [index, block] of answer.blocks.entries()) {
    yield frame('content_block_start', { index, content_block: begun(block) })
    if (index === 0) yield frame('ping', {})
    for (const delta of deltasOf(block)) yield frame('content_block_delta', { index, delta })
    yield frame('content_block_stop', { index })
  }
  const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = usage
  yield frame('message_delta', {
    delta: {
      stop_reason: answer.stopReason,
      stop_sequence: null,
      ...(container ? { container } : {}),
      ...(safeguards ? { safeguard_results: safeguards } : {}),
    },
    usage: {
      input_tokens,
      cache_creation_input_tokens,
      cache_read_input_tokens,
      output_tokens: answer.outputTokens,
    },
  })
  yield frame('message_stop', {})
}

function frame(type: string, fields: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
}

function begun(block: AnswerBlock): AnswerBlock {
  if (block.type === 'text') return { ...block, text: '' }
  return 'input' in block ? { ...block, input: {} } : block
}

function deltasOf(block: AnswerBlock) {
  if (block.type === 'text')
    return pieces(block.text, /\s*\S+/g).map((text) => ({ type: 'text_delta', text }))
  if (!('input' in block)) return []
  // Split by code points, because half of a surrogate pair is not valid text.
  const json = [...JSON.stringify(block.input)]
  const parts = Array.from({ length: Math.ceil(json.length / JSON_PIECE) }, (_, i) =>
    json.slice(i * JSON_PIECE, (i + 1) * JSON_PIECE).join(''),
  )
  return ['', ...parts].map((partial_json) => ({ type: 'input_json_delta', partial_json }))
}

/** The text in pieces that together are the whole text. */
function pieces(text: string, word: RegExp): string[] {
  const found = text.match(word) ?? []
  const rest = text.slice(found.join('').length)
  return rest === '' ? found : [...found, rest]
}
