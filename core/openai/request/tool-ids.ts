/** Tool calls and their answers: ids that Claude takes, each of them once, and input as it was written. */
import { invalidField } from '../../errors.ts'
import { DEEPEST, MOST_VALUES, shapeOf } from '../../json/bounds.ts'
import { exactJson } from '../../json/exact.ts'
import { isRecord } from '../../json/is-record.ts'
import { createFreeNames } from '../free-names.ts'
import { JsonText } from '../messages-api.ts'

const TOOL_ID = /^[A-Za-z0-9_-]+$/
const LONGEST_NAME = 128

export interface ToolIds {
  /** The id for a call that is named `id`, the same for no other call; `at` is the parameter that makes it. */
  call(id: string, at: string): string
  /** Whether a call that is named `id` has its result already. */
  hasResult(id: string): boolean
  /** The id of the call that a result is for. Throws a Refusal invalid_input if no earlier call waits for one. */
  result(id: string, param: string): string
  /** The parameter that made the call with this id of ours. */
  madeBy(callId: string): string
}

/** Clients may use an id again in a later turn; its results belong to the calls in the order in which they were made. */
export function createToolIds(): ToolIds {
  const places = new Map<string, string>()
  const free = createFreeNames((id) => places.has(id))
  /** By what a call is named: its ids, and how many of them have their result. */
  const named = new Map<string, { calls: string[]; answered: number }>()
  return {
    call(id, at) {
      const safe = TOOL_ID.test(id) ? id : `call_${places.size}_${id.replace(/[^A-Za-z0-9_-]/g, '_')}`
      const unique = free(safe)
      places.set(unique, at)
      const known = named.get(id)
      if (known) known.calls.push(unique)
      else named.set(id, { calls: [unique], answered: 0 })
      return unique
    },
    hasResult(id) {
      const known = named.get(id)
      return known !== undefined && known.answered === known.calls.length
    },
    result(id, param) {
      const known = named.get(id)
      if (!known) throw invalidField(param, 'no earlier message of the assistant made this tool call')
      const unique = known.calls[known.answered]
      if (unique === undefined) throw invalidField(param, 'this tool call has its result already')
      known.answered += 1
      return unique
    },
    madeBy: (callId) => places.get(callId) ?? 'messages',
  }
}

/** The name of a tool in an earlier call. The tool may be gone, so that nothing has to fit but Claude's rule. */
export function calledName(name: string): string {
  return name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, LONGEST_NAME) || 'tool'
}

/** Half of a surrogate pair, which JSON.parse takes and Claude refuses. */
const MAY_BE_HALF = /\\u[dD][89a-fA-F]/

/** The input of a call with these arguments. Throws a Refusal invalid_input for what is too deep or too wide. */
export type ToolInputs = (text: string, param: string) => JsonText

/** The inputs of the tool calls of one request, which are bounded together. */
export function createToolInputs(): ToolInputs {
  let characters = 0
  let values = 0
  return (text, param) => {
    if (isBlank(text)) return new JsonText('{}')
    characters += text.length
    // Shorter ones need no look, because each value has a character.
    if (text.length > 2 * DEEPEST || characters > MOST_VALUES) {
      const shape = shapeOf(text, { deepest: DEEPEST, mostMembers: MOST_VALUES, mostValues: MOST_VALUES })
      values += shape.values
      if (shape.state === 'too deep') throw invalidField(param, 'it is nested too deep')
      if (shape.state === 'too many' || values > MOST_VALUES)
        throw invalidField(param, `at most ${MOST_VALUES} values are expected in all tool calls`)
      if (shape.state !== 'complete') return asText(text)
    }
    return toolInput(text)
  }
}

/**
 * The input of a tool call. Arguments that are no object go on as the text that they are, because a call that was cut off stays
 * in its conversation: https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
 */
function toolInput(text: string): JsonText {
  try {
    if (MAY_BE_HALF.test(text)) return new JsonText(wellFormed(text))
    if (isRecord(JSON.parse(text))) return new JsonText(text.trim().toWellFormed())
  } catch {
    // It goes on as a text.
  }
  return asText(text)
}

const asText = (text: string) => new JsonText(JSON.stringify({ INVALID_JSON: text.toWellFormed() }))

const isBlank = (text: string) => ['', 'null'].includes(text.trim())

function wellFormed(text: string): string {
  const input = exactJson(text)
  if (!isRecord(input)) throw new TypeError('no object')
  const halves = (_: string, value: unknown) => (typeof value === 'string' ? value.toWellFormed() : value)
  return JSON.stringify(input, halves)
}
