/** A streamed answer of /v1/messages, read as it comes. Events: https://platform.claude.com/docs/en/build-with-claude/streaming */

export interface AnswerSoFar {
  text: string
  thinking: string
  /** All input, that from the cache included; undefined until it is told. */
  inputTokens: number | undefined
  outputTokens: number | undefined
  stopReason: string | undefined
  /** The last event came. */
  isWhole: boolean
}

/** A stream that had begun ended before the answer did: by an error of the upstream, or, without a word, on its way here. */
export class StreamError extends Error {
  /** Anthropic's type of error; '' on its way. */
  readonly kind: string

  constructor(kind: string, message: string) {
    super(message)
    this.kind = kind
  }
}

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
const textOf = (value: unknown) => (typeof value === 'string' ? value : '')
const INPUT = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens'] as const

/** Takes text in pieces that end anywhere. `take` returns the answer so far, and throws a StreamError. */
export function createAnswerReader(): { take(piece: string): AnswerSoFar } {
  let answer: AnswerSoFar = {
    text: '',
    thinking: '',
    inputTokens: undefined,
    outputTokens: undefined,
    stopReason: undefined,
    isWhole: false,
  }
  let rest = ''
  return {
    take(piece) {
      const lines = (rest + piece).split(/\r?\n/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('data:')) answer = after(answer, fieldsOf(JSON.parse(line.slice(5))))
      }
      return answer
    },
  }
}

/** Kinds of events that are not known change nothing, because new ones may come. */
function after(answer: AnswerSoFar, { type, ...event }: Fields): AnswerSoFar {
  const { text, thinking, stop_reason: stopReason } = fieldsOf(event.delta)
  switch (type) {
    case 'message_start':
      return withUsage(answer, fieldsOf(event.message).usage)
    case 'content_block_delta':
      return { ...answer, text: answer.text + textOf(text), thinking: answer.thinking + textOf(thinking) }
    case 'message_delta':
      return { ...withUsage(answer, event.usage), stopReason: textOf(stopReason) || answer.stopReason }
    case 'message_stop':
      return { ...answer, isWhole: true }
    case 'error': {
      const { type: kind, message } = fieldsOf(event.error)
      throw new StreamError(textOf(kind), textOf(message))
    }
    default:
      return answer
  }
}

function withUsage(answer: AnswerSoFar, told: unknown): AnswerSoFar {
  const usage = fieldsOf(told)
  const { output_tokens: output } = usage
  const input = INPUT.map((name) => usage[name]).filter((value) => typeof value === 'number')
  return {
    ...answer,
    outputTokens: typeof output === 'number' ? output : answer.outputTokens,
    inputTokens: input.length > 0 ? input.reduce((sum, value) => sum + value, 0) : answer.inputTokens,
  }
}
