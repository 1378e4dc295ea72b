/** The order of turns, and of calls of tools and their results. */
import { first, listed, type Request, type Rule } from './rule.ts'

const DOCS = 'https://platform.claude.com/docs/en'
const SYSTEM = `${DOCS}/build-with-claude/mid-conversation-system-messages`
const CALLS = `${DOCS}/agents-and-tools/tool-use/handle-tool-calls`

/** Exchanges with the real Claude, kept by another client's tests. */
const RECORDED =
  'https://github.com/sst/opencode/blob/dev/packages/llm/test/fixtures/recordings/anthropic-messages'

const SERVER_RESULT = /_tool_result$/

export const TURN_RULES: readonly Rule[] = [
  {
    rule: 'a message is of the user, the assistant or the system',
    source: `${DOCS}/api/messages`,
    broken: ({ messages }) =>
      first(
        messages.map(
          ({ role }, i) =>
            !['user', 'assistant', 'system'].includes(role) &&
            `messages.${i}.role: Unexpected role "${role}"`,
        ),
      ),
  },
  {
    rule: 'the system prompt is no message',
    source: `${SYSTEM}#limitations`,
    broken: ({ messages }) =>
      hasContent(messages[0]) && messages[0]?.role === 'system'
        ? "messages.0: use the top-level 'system' parameter for the initial system prompt"
        : undefined,
  },
  {
    rule: 'the user speaks first',
    source: `${DOCS}/build-with-claude/working-with-messages`,
    broken: ({ messages }) =>
      messages[0]?.role === 'assistant' ? 'messages: first message must use the "user" role' : undefined,
  },
  {
    rule: 'only some models take system messages among the others',
    source: SYSTEM,
    broken: ({ messages }, { systemInPlace }) =>
      !systemInPlace && messages.some(({ role }) => role === 'system')
        ? "messages: role 'system' is not supported on this model"
        : undefined,
  },
  {
    rule: 'a system message stands behind a turn of the user, and before one of the assistant or at the end',
    source: `${SYSTEM}#limitations`,
    broken: ({ messages }) => first(messages.map((_, i) => misplaced(messages, i))),
  },
  {
    rule: 'every message has content, but for a last one of the assistant',
    source: `${DOCS}/api/errors`,
    broken: ({ messages }) =>
      first(
        messages.map((message, i) => {
          const isLast = i === messages.length - 1 && message.role === 'assistant'
          if (isLast || hasContent(message) || message.role === 'system') return undefined
          return `messages.${i}: all messages must have non-empty content except for the optional final assistant message`
        }),
      ),
  },
  {
    rule: 'only some models continue a message of the assistant',
    source: `${DOCS}/api/errors#prefill-not-supported`,
    broken: ({ messages }, { prefill }) =>
      messages.at(-1)?.role === 'assistant' && !prefill && !endsWithServerResult(messages.at(-1))
        ? 'This model does not support assistant message prefill. The conversation must end with a user message.'
        : undefined,
  },
  {
    rule: 'the text that the model continues does not end in white space',
    source: `${DOCS}/build-with-claude/working-with-messages`,
    broken: ({ messages }) => {
      const last = messages.at(-1)
      const block = last?.role === 'assistant' ? listed(last.content).at(-1) : undefined
      return typeof block?.text === 'string' && /\s$/.test(block.text)
        ? 'messages: final assistant content cannot end with trailing whitespace'
        : undefined
    },
  },
  {
    rule: 'an id of a call is used once',
    source: CALLS,
    broken: ({ messages }) => {
      const ids = messages.flatMap((message) => calledIn(message))
      return new Set(ids).size < ids.length ? 'messages: `tool_use` ids must be unique' : undefined
    },
  },
  {
    rule: 'the next turn answers every call, once',
    source: CALLS,
    broken: ({ messages }) => first(joined(messages).map((turn, i, all) => unanswered(turn, all[i + 1], i))),
  },
  {
    rule: 'no text stands behind a call in its turn',
    source: `${RECORDED}/rejects-malformed-assistant-tool-order-without-patch.json`,
    broken: ({ messages }) =>
      first(
        joined(messages).map(({ role, content }, i) => {
          const call = content.findIndex(({ type }) => type === 'tool_use')
          const text = content.findLastIndex(({ type }) => type === 'text')
          return role === 'assistant' && call >= 0 && text > call && missingResults(i, [content[call]?.id])
        }),
      ),
  },
  {
    rule: 'results stand first in their turn',
    source: CALLS,
    broken: ({ messages }) =>
      first(
        joined(messages).map(({ content }, i) => {
          const other = content.findIndex(({ type }) => type !== 'tool_result')
          const late = content.findLastIndex(({ type }) => type === 'tool_result')
          return (
            other >= 0 && late > other && `messages.${i}: \`tool_result\` blocks must come first in a turn`
          )
        }),
      ),
  },
]

type Message = Request['messages'][number]

const hasContent = (message: Message | undefined) => listed(message?.content).length > 0
const endsWithServerResult = (message: Message | undefined) =>
  SERVER_RESULT.test(listed(message?.content).at(-1)?.type ?? '')

function misplaced(messages: readonly Message[], i: number): string | undefined {
  const message = messages[i]
  if (message?.role !== 'system' || !hasContent(message)) return undefined
  const before = messages.slice(0, i).findLast(({ role }) => role !== 'system')
  const after = messages.slice(i + 1).find(({ role }) => role !== 'system')
  const fits = before?.role === 'user' || endsWithServerResult(before)
  if (fits && after?.role !== 'user') return undefined
  return `messages.${i}: a system message must follow a user message and precede an assistant message or end the conversation`
}

interface Joined {
  role: string
  content: ReturnType<typeof listed>
}

/** Turns as Claude reads them: neighbours of one role are one. */
function joined(messages: readonly Message[]): Joined[] {
  const turns: Joined[] = []
  for (const { role, content } of messages) {
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...listed(content))
    else turns.push({ role, content: [...listed(content)] })
  }
  return turns
}

function calledIn({ content }: Message): unknown[] {
  return listed(content).flatMap(({ type, id }) => (type === 'tool_use' ? [id] : []))
}

function unanswered(turn: Joined, next: Joined | undefined, i: number): string | undefined {
  const results = turn.role === 'user' ? idsOf(turn, 'tool_result', 'tool_use_id') : []
  if (i === 0 && results.length > 0) return unexpected(results[0])
  if (turn.role !== 'assistant') return undefined
  const calls = idsOf(turn, 'tool_use', 'id')
  const answers = next?.role === 'user' ? idsOf(next, 'tool_result', 'tool_use_id') : []
  const missing = calls.filter((id) => !answers.includes(id))
  if (missing.length > 0) return missingResults(i, missing)
  const stray = answers.find((id) => !calls.includes(id))
  if (stray !== undefined) return unexpected(stray)
  const twice = answers.find((id, k) => answers.indexOf(id) !== k)
  return twice === undefined
    ? undefined
    : `each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${twice}`
}

function missingResults(i: number, ids: readonly unknown[]): string {
  return `messages.${i}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${ids.join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`
}

function unexpected(id: unknown): string {
  return `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`
}

function idsOf({ content }: Joined, type: string, key: 'id' | 'tool_use_id'): unknown[] {
  return content.flatMap((block) => (block.type === type ? [block[key]] : []))
}
