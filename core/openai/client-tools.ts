/**
 * Tools of OpenAI's that the caller runs itself: what stands for each at Claude, and its items. Kinds that are no function of
 * the caller's have an item type of their own: https://platform.openai.com/docs/api-reference/responses
 */
import { isRecord } from '../json/is-record.ts'

/** What a tool at Claude stands for in the caller's interface. */
export type ClientTool =
  | { kind: 'function' | 'custom'; name: string; namespace?: string | undefined }
  | { kind: BuiltInName }

/** Name of a tool at Claude → what it stands for. A name that is missing is a function of that name. */
export type ClientTools = ReadonlyMap<string, ClientTool>

interface BuiltIn {
  description: string
  properties: Record<string, object>
  required: readonly string[]
  /** Type of the item that calls it, and the beginning of its id. */
  call: string
  prefix: string
  /** Type of the item with its result. */
  result: string
  /** The fields of a call with this input; without one it is still being written. */
  fieldsOf(input: Record<string, unknown>): Record<string, unknown>
  /** The input of a call that comes back. */
  inputOf(item: Record<string, unknown>): Record<string, unknown>
}

const text = { type: 'string' }
const texts = { type: 'array', items: text }
const milliseconds = { type: 'integer', description: 'The most milliseconds that it may take.' }
const withoutType = ({ type: _, ...rest }: Record<string, unknown>) => withoutNull(rest)
const recordOf = (value: unknown) => (isRecord(value) ? value : {})

const BUILT_INS = {
  local_shell: {
    description: "Runs a command on the user's machine, without a shell around it.",
    properties: {
      command: { ...texts, description: 'The program and its arguments.' },
      working_directory: text,
      timeout_ms: milliseconds,
      env: { type: 'object', additionalProperties: text },
    },
    required: ['command'],
    call: 'local_shell_call',
    prefix: 'lsh',
    result: 'local_shell_call_output',
    fieldsOf: (input) => ({ action: { type: 'exec', command: [], env: {}, ...input } }),
    inputOf: ({ action }) => withoutType(recordOf(action)),
  },
  shell: {
    description: "Runs shell commands on the user's machine, one after the other.",
    properties: { commands: texts, timeout_ms: milliseconds, max_output_length: { type: 'integer' } },
    required: ['commands'],
    call: 'shell_call',
    prefix: 'sh',
    result: 'shell_call_output',
    fieldsOf: (input) => ({
      action: { commands: [], timeout_ms: null, max_output_length: null, ...input },
    }),
    inputOf: ({ action }) => withoutType(recordOf(action)),
  },
  apply_patch: {
    description:
      "Creates, updates or deletes a file by a diff in V4A format, as `apply_patch` of OpenAI's takes it.",
    properties: {
      type: { type: 'string', enum: ['create_file', 'update_file', 'delete_file'] },
      path: text,
      diff: { type: 'string', description: 'Not for delete_file.' },
    },
    required: ['type', 'path'],
    call: 'apply_patch_call',
    prefix: 'apc',
    result: 'apply_patch_call_output',
    fieldsOf: (input) => ({ operation: input }),
    inputOf: ({ operation }) => recordOf(operation),
  },
  tool_search: {
    description: 'Finds tools that are not loaded yet, and loads them.',
    properties: { query: text },
    required: ['query'],
    call: 'tool_search_call',
    prefix: 'tsc',
    result: 'tool_search_output',
    fieldsOf: (input) => ({ execution: 'client', arguments: input }),
    inputOf: ({ arguments: input }) => recordOf(input),
  },
} satisfies Record<string, BuiltIn>

export type BuiltInName = keyof typeof BUILT_INS
const ALL: readonly [BuiltInName, BuiltIn][] = Object.entries(BUILT_INS) as [BuiltInName, BuiltIn][] // BUILT_INS is a constant

export function builtIn(name: BuiltInName): BuiltIn {
  return BUILT_INS[name]
}

export function isBuiltIn(name: string): name is BuiltInName {
  return Object.hasOwn(BUILT_INS, name)
}

/** The built-in tool that items of this type call, or whose result they hold. */
export function builtInOfItem(type: string): { name: BuiltInName; isCall: boolean } | undefined {
  const found = ALL.find(([, { call, result }]) => call === type || result === type)
  return found && { name: found[0], isCall: found[1].call === type }
}

/** The one string that the input of a `custom` tool is at Claude. */
export const CUSTOM_INPUT = 'input'

function withoutNull(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null))
}
