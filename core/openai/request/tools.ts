/** Translates tools and tool_choice for both of OpenAI's APIs (core/calls/PROTOCOL.md, OpenAI's requests). */

import { invalidField } from '../../errors.ts'
import { isRecord } from '../../json/is-record.ts'
import type { MessagesRequest, Tool, ToolChoice, Turn, WebSearchTool } from '../messages-api.ts'
import { isStrict } from './schema.ts'
import { assertFinite, propertiesOf, withinLimits } from './schema-size.ts'
import { inputSchema } from './tool-schema.ts'

/** Claude's rule for names of tools. */
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/

export interface FunctionTool {
  name: string
  description?: string | null | undefined
  parameters?: Record<string, unknown> | null | undefined
  strict?: boolean | null | undefined
}

/** `warn` gets what was changed. Throws a Refusal that names the part. */
export function toolOf(given: FunctionTool, param: string, warn: (text: string) => void): Tool {
  const { name, description, parameters, strict } = given
  if (!TOOL_NAME.test(name))
    throw invalidField(`${param}.name`, 'letters, digits, _ and -, at most 128, are expected')
  const { schema, said } = inputSchema(parameters, `${param}.parameters`, warn)
  const isKeptTo = strict === true && isStrict(schema)
  if (isKeptTo) assertFinite(schema, `${param}.parameters`)
  else if (strict) warn(`${param}.strict: the parameters have what Claude cannot keep a tool to`)
  const words = [description, said].filter(Boolean).join('\n\n')
  return {
    name,
    ...(words ? { description: words.toWellFormed() } : {}),
    input_schema: schema,
    ...(isKeptTo ? { strict: true } : {}),
  }
}

interface SearchOptions {
  user_location?: unknown
  allowed_domains?: readonly string[] | undefined
}
const PLACES = ['city', 'region', 'country', 'timezone']

export function webSearchTool({
  user_location: location,
  allowed_domains: domains = [],
}: SearchOptions): WebSearchTool {
  // Chat completions nest the location in `approximate`.
  const place = isRecord(location) && isRecord(location.approximate) ? location.approximate : location
  const said = isRecord(place) ? Object.entries(place) : []
  const where = said.filter(([key, value]) => PLACES.includes(key) && typeof value === 'string' && value)
  return {
    type: 'web_search_20250305',
    name: 'web_search',
    ...(domains.length > 0 ? { allowed_domains: [...domains] } : {}),
    ...(where.length > 0 ? { user_location: { type: 'approximate', ...Object.fromEntries(where) } } : {}),
  }
}

/** The tools that the conversation has calls of, as far as their names tell. */
export function calledTools(messages: readonly Turn[]): Tool[] {
  const blocks = messages.flatMap(({ content }) => content)
  const names = blocks.flatMap((block) => (block.type === 'tool_use' ? [block.name] : []))
  return [...new Set(names)].map((name) => ({ name, input_schema: { type: 'object' } }))
}

/** The caller's tool choice, in one form for all APIs. */
export type Choice =
  | { kind: 'none' | 'auto' | 'required' }
  | { kind: 'function'; name: string }
  | { kind: 'allowed'; mode: 'auto' | 'required'; names: readonly string[] }

export interface AskedTools {
  choice: Choice | undefined
  parallel: boolean
  /** The model takes a forced choice in this request. */
  mayForce: boolean
}

/** Tools and tool choice as the model accepts them. `warn` gets what was changed. Throws a Refusal invalid_input. */
export function chosenTools(
  all: (Tool | WebSearchTool)[],
  { choice, parallel, mayForce }: AskedTools,
  warn: (text: string) => void,
): Pick<MessagesRequest, 'tools' | 'tool_choice'> {
  if (all.length === 0) {
    if (choice && choice.kind !== 'none' && choice.kind !== 'auto') warn('tool_choice: there are no tools')
    return {}
  }
  assertUnique(all)
  const tools = limitStrict(choice?.kind === 'allowed' ? onlyNamed(all, choice.names) : all, warn)
  if (tools.length === 0) throw invalidField('tool_choice', 'none of the allowed tools is among the tools')
  if (choice?.kind === 'function' && !tools.some(({ name }) => name === choice.name)) {
    throw invalidField('tool_choice', `there is no tool ${choice.name}`)
  }
  if (choice?.kind === 'none') return { tools, tool_choice: { type: 'none' } }
  const wanted = wantedChoice(choice)
  const isForced = wanted?.type === 'any' || wanted?.type === 'tool'
  if (isForced && !mayForce) warn('tool_choice downgraded to auto')
  const kept: ToolChoice | undefined = isForced && !mayForce ? { type: 'auto' } : wanted
  if (parallel) return { tools, ...(kept ? { tool_choice: kept } : {}) }
  return { tools, tool_choice: { ...(kept ?? { type: 'auto' }), disable_parallel_tool_use: true } }
}

function onlyNamed(tools: readonly (Tool | WebSearchTool)[], names: readonly string[]) {
  const allowed = new Set(names)
  return tools.filter(({ name }) => allowed.has(name))
}

function assertUnique(tools: readonly (Tool | WebSearchTool)[]) {
  const names = new Set<string>()
  for (const [i, { name }] of tools.entries()) {
    if (names.has(name)) throw invalidField(`tools[${i}].name`, `there is another tool ${name}`)
    names.add(name)
  }
}

const MOST_STRICT = 20

/** Tools are kept to their schemas as long as Claude compiles all of these. */
function limitStrict(
  tools: (Tool | WebSearchTool)[],
  warn: (text: string) => void,
): (Tool | WebSearchTool)[] {
  const total = { optional: 0, unions: 0 }
  let count = 0
  return tools.map((tool, i) => {
    if (!('strict' in tool)) return tool
    const { optional, unions } = propertiesOf({ ...tool.input_schema })
    const sum = { optional: total.optional + optional, unions: total.unions + unions }
    if (count < MOST_STRICT && withinLimits(sum)) {
      count += 1
      Object.assign(total, sum)
      return tool
    }
    warn(`tools[${i}].strict: Claude keeps fewer and simpler tools to their parameters`)
    const { strict: _, ...loose } = tool
    return loose
  })
}

function wantedChoice(choice: Choice | undefined): Exclude<ToolChoice, { type: 'none' }> | undefined {
  switch (choice?.kind) {
    case 'auto':
      return { type: 'auto' }
    case 'required':
      return { type: 'any' }
    case 'function':
      return { type: 'tool', name: choice.name }
    case 'allowed':
      return { type: choice.mode === 'required' ? 'any' : 'auto' }
    default:
      return undefined
  }
}
