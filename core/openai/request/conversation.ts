/** From turns in OpenAI's order to those that Claude takes: system first, roles merged, tool results leading. */

import { invalidField } from '../../errors.ts'
import { shapeOfText } from '../../json/depth.ts'
import { isRecord } from '../../json/is-record.ts'
import type { Abilities } from '../../models/abilities.ts'
import type { Block, TextBlock, Turn } from '../messages-api.ts'
import { unsupported } from './refuse.ts'

const TOOL_ID = /^[A-Za-z0-9_-]+$/
const MOST_BREAKPOINTS = 4

/** Throws a Refusal when nothing is left to answer. */
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

/** Claude refuses a last text that ends in white space. */
function trimEnd(turn: Turn) {
  const block = turn.content.at(-1)
  if (block?.type === 'text') block.text = block.text.trimEnd()
  turn.content = turn.content.filter((one) => one.type !== 'text' || one.text !== '')
}

/** The last ones keep the longest prompts. */
function limitBreakpoints(blocks: readonly Block[]) {
  const marked = blocks.filter((block) => 'cache_control' in block && block.cache_control)
  for (const block of marked.slice(0, -MOST_BREAKPOINTS))
    if ('cache_control' in block) delete block.cache_control
}

/** Ids of tool calls, in a form that Claude takes; the same text always becomes the same id. */
export function createToolIds() {
  const called = new Map<string, string>()
  return {
    call(id: string): string {
      const safe = TOOL_ID.test(id) ? id : `call_${called.size}_${id.replace(/[^A-Za-z0-9_-]/g, '_')}`
      const known = called.get(id)
      if (known === undefined) called.set(id, safe)
      return known ?? safe
    },
    /** Throws a Refusal for a result of a call that was never made. */
    result(id: string, param: string): string {
      const known = called.get(id)
      if (known === undefined)
        throw invalidField(param, 'no earlier message of the assistant made this tool call')
      return known
    },
  }
}

/** The input of a tool call from its text. Throws a Refusal. */
export function toolInput(text: string, param: string): unknown {
  if (shapeOfText(text) === 'too deep') throw invalidField(param, 'it is nested too deep')
  try {
    const input: unknown = JSON.parse(text.trim() === '' ? '{}' : text)
    if (isRecord(input)) return input
  } catch {
    // Told below.
  }
  throw invalidField(param, 'a JSON object is expected')
}
