/** Orders OpenAI's turns as Claude accepts them: system first, equal roles merged, tool results at the start of a turn. */

import { invalidField } from '../../errors.ts'
import { shapeOfText } from '../../json/depth.ts'
import { isRecord } from '../../json/is-record.ts'
import type { Abilities } from '../../models/abilities.ts'
import type { Block, TextBlock, Turn } from '../messages-api.ts'
import { unsupported } from './refuse.ts'

const TOOL_ID = /^[A-Za-z0-9_-]+$/
const MOST_BREAKPOINTS = 4

/** Throws a Refusal: invalid_input without a user's turn; unsupported_value if the model takes no assistant turn at the end. */
export function conversation(
  turns: readonly Turn[],
  abilities: Abilities,
  param: string,
): { system: TextBlock[]; messages: Turn[] } {
  const system: TextBlock[] = []
  const messages: Turn[] = []
  for (const { role, content } of turns) {
    if (content.length === 0) continue
    const isLater = messages.length > 0
    if (role === 'system' && !(isLater && abilities.systemInPlace)) {
      system.push(...content.filter((block) => block.type === 'text'))
      continue
    }
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(...content)
    else messages.push({ role, content: [...content] })
  }
  for (const turn of messages) if (turn.role === 'user') turn.content = resultsFirst(turn.content)
  if (!messages.some(({ role }) => role === 'user')) {
    throw invalidField(param, 'at least one message of the user is expected')
  }
  const last = messages.at(-1)
  if (last?.role === 'assistant') {
    if (!abilities.prefill)
      throw unsupported(param, 'this model takes no message of the assistant at the end')
    trimEnd(last)
  }
  limitBreakpoints([...system, ...messages.flatMap(({ content }) => content)])
  return { system, messages }
}

function resultsFirst(content: readonly Block[]): Block[] {
  const isResult = (block: Block) => block.type === 'tool_result'
  return [...content.filter(isResult), ...content.filter((block) => !isResult(block))]
}

/** Claude refuses an assistant turn at the end whose text ends in white space. */
function trimEnd(turn: Turn) {
  const block = turn.content.at(-1)
  if (block?.type === 'text') block.text = block.text.trimEnd()
  turn.content = turn.content.filter((one) => one.type !== 'text' || one.text !== '')
}

/** Claude accepts four breakpoints. The last ones stay, because they cache the longest prompts. */
function limitBreakpoints(blocks: readonly Block[]) {
  const marked = blocks.filter((block) => 'cache_control' in block && block.cache_control)
  for (const block of marked.slice(0, -MOST_BREAKPOINTS))
    if ('cache_control' in block) delete block.cache_control
}

/** Converts ids of tool calls to the characters that Claude accepts; the same id always gets the same result. */
export function createToolIds() {
  const called = new Map<string, string>()
  return {
    call(id: string): string {
      const safe = TOOL_ID.test(id) ? id : `call_${called.size}_${id.replace(/[^A-Za-z0-9_-]/g, '_')}`
      const known = called.get(id)
      if (known === undefined) called.set(id, safe)
      return known ?? safe
    },
    /** Throws a Refusal invalid_input if no earlier call has this id. */
    result(id: string, param: string): string {
      const known = called.get(id)
      if (known === undefined)
        throw invalidField(param, 'no earlier message of the assistant made this tool call')
      return known
    },
  }
}

/** Parses the input of a tool call. Throws a Refusal invalid_input. */
export function toolInput(text: string, param: string): unknown {
  if (shapeOfText(text) === 'too deep') throw invalidField(param, 'it is nested too deep')
  try {
    const input: unknown = JSON.parse(text.trim() === '' ? '{}' : text)
    if (isRecord(input)) return input
  } catch {
    // Refused below.
  }
  throw invalidField(param, 'a JSON object is expected')
}
