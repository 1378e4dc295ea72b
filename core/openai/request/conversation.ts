/**
 * Orders OpenAI's turns as Claude takes them (core/calls/PROTOCOL.md, Order of turns): the user first, equal roles joined,
 * each call answered in the next turn and there first, system messages behind a turn of the user.
 */
import { invalidField } from '../../errors.ts'
import type { Abilities } from '../../models/abilities.ts'
import type { Block, Role, TextBlock, Turn } from '../messages-api.ts'
import { unsupported } from './refuse.ts'
import type { ToolIds } from './tool-ids.ts'

type ToolResult = Extract<Block, { type: 'tool_result' }>

/** What is put before a conversation that the assistant begins. */
const BEGINNING: TextBlock = { type: 'text', text: '(The conversation begins with the assistant.)' }
/** What stands for the user where a system message is to be answered. */
const SILENCE: TextBlock = { type: 'text', text: '(The user says nothing.)' }

export interface Talk {
  turns: readonly Turn[]
  ids: ToolIds
  /** The parameter that holds the conversation. */
  param: string
}

/**
 * Throws a Refusal: invalid_input without a user's turn or for a call without a result; unsupported_value if the model takes
 * no assistant turn at the end. `warn` gets what was changed.
 */
export function conversation(
  { turns, ids, param }: Talk,
  abilities: Abilities,
  warn: (text: string) => void,
): { system: TextBlock[]; messages: Turn[] } {
  const messages: Turn[] = []
  const order: Order = { messages, waiting: [], calls: [], said: [], results: resultsIn(turns), ids }
  const system: TextBlock[] = []
  for (const { role, content } of turns) {
    if (content.length === 0) continue
    if (role === 'assistant') addAssistant(order, content)
    else if (role === 'user') addUser(order, content)
    else if (messages.length > 0 && abilities.systemInPlace) append(order.waiting, texts(content))
    else append(system, texts(content))
  }
  endAssistant(order)
  const isAskedBySystem = turns.findLast(({ content }) => content.length > 0)?.role === 'system'
  if (isAskedBySystem && messages.at(-1)?.role !== 'user') {
    warn(`${param}: a turn of the user was put at the end`)
    add(order, 'user', [SILENCE])
  }
  placeSystem(order)
  append(system, texts(order.waiting))
  if (!messages.some(({ role }) => role === 'user')) {
    throw invalidField(param, 'at least one message of the user with some content is expected')
  }
  if (messages[0]?.role === 'assistant') {
    warn(`${param}[0]: a turn of the user was put before it`)
    messages.unshift({ role: 'user', content: [BEGINNING] })
  }
  const last = messages.at(-1)
  if (last?.role === 'assistant') {
    if (!abilities.prefill)
      throw unsupported(param, 'this model takes no message of the assistant at the end')
    trimEnd(last)
  }
  return { system, messages }
}

interface Came {
  result: ToolResult
  /** How many results came before. */
  position: number
}

/** Every result by the id of its call. */
function resultsIn(turns: readonly Turn[]): Map<string, Came> {
  const results = new Map<string, Came>()
  for (const { content } of turns) {
    for (const block of content) {
      if (block.type === 'tool_result')
        results.set(block.tool_use_id, { result: block, position: results.size })
    }
  }
  return results
}

/** The conversation as far as it is put in order. */
interface Order {
  messages: Turn[]
  /** System messages that wait for the end of a user's turn. */
  waiting: Block[]
  /** Calls of the turn under way. */
  calls: string[]
  /** What was said behind them, which goes before them at the end of the turn. */
  said: Block[]
  results: ReadonlyMap<string, Came>
  ids: ToolIds
}

function add({ messages }: Order, role: Role, content: readonly Block[]) {
  const last = messages.at(-1)
  if (last?.role === role) append(last.content, content)
  else messages.push({ role, content: [...content] })
}

function addUser(order: Order, content: readonly Block[]) {
  endAssistant(order)
  const said = content.filter(({ type }) => type !== 'tool_result')
  if (said.length > 0) add(order, 'user', said)
}

function addAssistant(order: Order, content: readonly Block[]) {
  placeSystem(order)
  const said = content.filter(({ type }) => type !== 'tool_use')
  const calls = content.filter((block) => block.type === 'tool_use')
  if (order.calls.length > 0 && said.some(({ type }) => type === 'text')) {
    append(order.said, thoughtsAtEnd(order))
    append(order.said, said)
  } else add(order, 'assistant', said)
  add(order, 'assistant', calls)
  for (const { id } of calls) order.calls.push(id)
}

/** Takes the thinking off the end of the turn under way. */
function thoughtsAtEnd({ messages }: Order): Block[] {
  const content = messages.at(-1)?.content ?? []
  return content.splice(content.findLastIndex((block) => !isThinking(block)) + 1)
}

/** Claude may write a text behind a call whose result is still to come, but takes it before its calls only. */
function sayBeforeCalls(order: Order, turn: Turn) {
  if (order.said.length === 0) return
  const firstCall = turn.content.findIndex(({ type }) => type === 'tool_use')
  turn.content = [...turn.content.slice(0, firstCall), ...order.said, ...turn.content.slice(firstCall)]
  order.said = []
}

function placeSystem(order: Order) {
  if (order.waiting.length === 0 || order.messages.at(-1)?.role !== 'user') return
  order.messages.push({ role: 'system', content: order.waiting })
  order.waiting = []
}

/** Ends a turn of the assistant, less the thinking at its end, which Claude refuses there, and answers its calls. */
function endAssistant(order: Order) {
  const { messages } = order
  const last = messages.at(-1)
  if (last?.role !== 'assistant') return
  thoughtsAtEnd(order)
  sayBeforeCalls(order, last)
  if (last.content.length === 0) {
    messages.pop()
    const before = messages.at(-1)
    if (before?.role === 'system') {
      messages.pop()
      append(before.content, order.waiting)
      order.waiting = before.content
    }
  }
  answerCalls(order)
}

function answerCalls(order: Order) {
  const { calls, results, ids } = order
  const came = calls.map((id) => {
    const found = results.get(id)
    if (!found) throw invalidField(ids.madeBy(id), 'no later message has the result of this tool call')
    return found
  })
  order.calls = []
  for (const { result } of came.sort((a, b) => a.position - b.position)) add(order, 'user', [result])
}

/** In steps, because a call takes only so many arguments. */
function append<T>(list: T[], more: Iterable<T>) {
  for (const one of more) list.push(one)
}

const texts = (content: readonly Block[]) => content.filter((block) => block.type === 'text')

function isThinking({ type }: Block): boolean {
  return type === 'thinking' || type === 'redacted_thinking'
}

/** Claude refuses an assistant turn at the end whose text ends in white space. */
function trimEnd(turn: Turn) {
  const block = turn.content.at(-1)
  if (block?.type === 'text') block.text = block.text.trimEnd()
}
