/** Translates tools and tool_choice for both of OpenAI's APIs (core/calls/PROTOCOL.md, OpenAI's requests). */

import { invalidField } from '../../errors.ts'
import { isRecord } from '../../json/is-record.ts'
import type { MessagesRequest, Tool, ToolChoice, WebSearchTool } from '../messages-api.ts'
import { assertFinite, isStrict } from './schema.ts'

/** Claude's rule for names of tools. */
const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/

export interface FunctionTool {
  name: string
  description?: string | null | undefined
  parameters?: Record<string, unknown> | null | undefined
  strict?: boolean | null | undefined
}

export function toolOf(given: FunctionTool, param: string): Tool {
  const { name, description, parameters, strict } = given
  if (!TOOL_NAME.test(name))
    throw invalidField(`${param}.name`, 'letters, digits, _ and -, at most 128, are expected')
  const input_schema = { properties: {}, ...parameters, type: 'object' }
  const isKeptTo = strict === true && isStrict(input_schema)
  if (isKeptTo) assertFinite(input_schema, `${param}.parameters`)
  return {
    name,
    ...(description ? { description } : {}),
    input_schema,
    ...(isKeptTo ? { strict: true } : {}),
  }
}

export function webSearchTool(options: {
  user_location?: unknown
  allowed_domains?: readonly string[] | undefined
}): WebSearchTool {
  const { user_location: location, allowed_domains: domains } = options
  // Chat completions nest the location in `approximate`.
  const place = isRecord(location) && isRecord(location.approximate) ? location.approximate : location
  const where = isRecord(place) ? { user_location: { ...place, type: 'approximate' } } : {}
  const within = domains && domains.length > 0 ? { allowed_domains: [...domains] } : {}
  return { type: 'web_search_20250305', name: 'web_search', ...within, ...where }
}

/** The caller's tool choice, in one form for all APIs. */
export type Choice =
  | { kind: 'none' | 'auto' | 'required' }
  | { kind: 'function'; name: string }
  | { kind: 'allowed'; mode: 'auto' | 'required'; names: readonly string[] }

/** Tools and tool choice as the model accepts them. `warn` gets what was changed. Throws a Refusal invalid_input. */
export function chosenTools(
  all: (Tool | WebSearchTool)[],
  asked: { choice: Choice | undefined; parallel: boolean; mayForce: boolean },
  warn: (text: string) => void,
): Pick<MessagesRequest, 'tools' | 'tool_choice'> {
  const { choice, parallel, mayForce } = asked
  if (all.length === 0) return {}
  const tools = choice?.kind === 'allowed' ? all.filter(({ name }) => choice.names.includes(name)) : all
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
