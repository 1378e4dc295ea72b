/** Calls of the caller's tools among the output items: each kind of tool has an item of its own. */

import { boundedJson } from '../../json/bounds.ts'
import { isRecord } from '../../json/is-record.ts'
import { type BuiltInName, builtIn, type ClientTool, CUSTOM_INPUT } from '../client-tools.ts'
import type { Emit, Item, Place } from './item.ts'
import { createStringReader } from './string-reader.ts'

const NO_ARGUMENTS = '{}'

/** The beginning of the ids of a tool's calls. */
export function callPrefix({ kind }: ClientTool): string {
  if (kind === 'function') return 'fc'
  return kind === 'custom' ? 'ctc' : builtIn(kind).prefix
}

export function createCallItem(tool: ClientTool, callId: string, emit: Emit, place: Place): Item {
  if (tool.kind === 'function') return functionCall(tool, callId, emit, place)
  return tool.kind === 'custom' ? customCall(tool, callId, emit, place) : builtInCall(tool.kind, callId)
}

interface Named {
  name: string
  namespace?: string | undefined
}
const namesOf = ({ name, namespace }: Named, call_id: string) => ({
  call_id,
  ...(namespace === undefined ? {} : { namespace }),
  name,
})

function functionCall(tool: Named, callId: string, emit: Emit, place: Place): Item {
  const pieces: string[] = []
  const whole = () => pieces.join('') || NO_ARGUMENTS
  function add(piece: string): string {
    pieces.push(piece)
    return emit('response.function_call_arguments.delta', { ...place, delta: piece })
  }
  return {
    isCall: true,
    delta: (delta) =>
      delta.type === 'input_json_delta' && delta.partial_json !== '' ? add(delta.partial_json) : '',
    end() {
      // Clients put arguments together from their pieces.
      const missing = pieces.length === 0 ? add(NO_ARGUMENTS) : ''
      return (
        missing +
        emit('response.function_call_arguments.done', { ...place, name: tool.name, arguments: whole() })
      )
    },
    view: (done) => ({
      type: 'function_call',
      ...namesOf(tool, callId),
      arguments: done ? whole() : '',
    }),
  }
}

/** The input is text, which stands at Claude as the one string of an object. */
function customCall(tool: Named, callId: string, emit: Emit, place: Place): Item {
  const reader = createStringReader(CUSTOM_INPUT)
  return {
    isCall: true,
    delta(delta) {
      const text = delta.type === 'input_json_delta' ? reader.add(delta.partial_json) : ''
      return text === '' ? '' : emit('response.custom_tool_call_input.delta', { ...place, delta: text })
    },
    end: () => emit('response.custom_tool_call_input.done', { ...place, input: reader.whole() }),
    view: (done) => ({
      type: 'custom_tool_call',
      ...namesOf(tool, callId),
      input: done ? reader.whole() : '',
    }),
  }
}

function builtInCall(name: BuiltInName, call_id: string): Item {
  const { call, fieldsOf } = builtIn(name)
  const pieces: string[] = []
  return {
    isCall: true,
    delta(delta) {
      if (delta.type === 'input_json_delta') pieces.push(delta.partial_json)
      return ''
    },
    end: () => '',
    view(done) {
      const input = done ? boundedJson(pieces.join('')) : undefined
      return { type: call, call_id, ...fieldsOf(isRecord(input) ? input : {}) }
    },
  }
}
