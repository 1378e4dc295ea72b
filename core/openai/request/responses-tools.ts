/** Tools of OpenAI's responses, of every kind, as Claude's; and what each of them stands for. */
import * as z from 'zod'
import { invalidField } from '../../errors.ts'
import { builtIn, type ClientTool, CUSTOM_INPUT, isBuiltIn } from '../client-tools.ts'
import type { Tool, WebSearchTool } from '../messages-api.ts'
import { unsupported } from './refuse.ts'
import { createToolNames, type ToolNames } from './tool-names.ts'
import { type Choice, type FunctionTool, toolOf, webSearchTool } from './tools.ts'

const text = z.string()
export const AskedTool = z.looseObject({
  type: text,
  name: text.optional(),
  description: text.nullish(),
  parameters: z.record(text, z.unknown()).nullish(),
  strict: z.boolean().nullish(),
  /** Of `custom`: a grammar that the text has to follow. */
  format: z.looseObject({ type: text, syntax: text.optional(), definition: text.optional() }).nullish(),
  /** Of `namespace`. */
  get tools() {
    return z.array(AskedTool).nullish()
  },
  /** Of `tool_search`: who runs it. */
  execution: text.nullish(),
  /** Of `web_search`. */
  user_location: z.unknown().optional(),
  external_web_access: z.boolean().nullish(),
  filters: z.looseObject({ allowed_domains: z.array(text).nullish() }).nullish(),
})
export type AskedTool = z.infer<typeof AskedTool>
const WEB_SEARCH = /^web_search(_preview)?(_\d{4}_\d{2}_\d{2})?$/

export interface ToolsOfResponses {
  tools: (Tool | WebSearchTool)[]
  names: ToolNames
}

/**
 * `given`: lists of tools with the parameters that they stand at, because items of the conversation may bring more. What runs
 * at OpenAI is left out with a warning. Throws a Refusal that names the parameter.
 */
export function toolsOfResponses(
  given: readonly { tools: readonly AskedTool[]; param: string }[],
  { webSearch, warn }: { webSearch: boolean; warn(text: string): void },
): ToolsOfResponses {
  const names = createToolNames()
  const tools = new Map<string, Tool | WebSearchTool>()
  const add = (tool: ClientTool, given: Omit<FunctionTool, 'name'>, param: string) => {
    const name = names.add(tool)
    tools.set(name, toolOf({ ...given, name }, param, warn))
  }

  function addTool(tool: AskedTool, param: string, namespace?: string) {
    const { type, description } = tool
    if (type === 'function' || type === 'custom') {
      if (!tool.name) throw invalidField(`${param}.name`, 'a name is expected')
      const named: ClientTool = { kind: type, name: tool.name, namespace }
      add(named, type === 'function' ? tool : customTool(tool), param)
    } else if (type === 'namespace') {
      const [first, ...others] = tool.tools ?? []
      const described = [description, first?.description].filter(Boolean).join('\n\n')
      const all = first ? [{ ...first, description: described }, ...others] : []
      for (const [i, one] of all.entries()) addTool(one, `${param}.tools[${i}]`, tool.name)
    } else if (isBuiltIn(type) && isClients(tool)) {
      const { properties, required, ...built } = builtIn(type)
      const parameters = tool.parameters ?? { properties, required }
      add({ kind: type }, { description: description ?? built.description, parameters }, param)
    } else if (WEB_SEARCH.test(type)) {
      const refused = whyNoSearch(tool, webSearch)
      if (refused) warn(`${param} ignored: ${refused}`)
      else tools.set('web_search', webSearchTool(searchOptions(tool)))
    } else if (type !== 'tool_search') warn(`${param} ignored: ${type.slice(0, 40)} is not offered here`)
  }

  // Its name is Claude's, so that no function may have it.
  if (webSearch) names.reserve('web_search')
  for (const { tools, param } of given)
    for (const [i, tool] of tools.entries()) addTool(tool, `${param}[${i}]`)
  return { tools: [...tools.values()], names }
}

/** The caller runs the tool. OpenAI's own tool search is not needed, because all tools are there at once. */
function isClients({ type, execution, environment }: AskedTool): boolean {
  if (type === 'tool_search') return execution === 'client'
  if (type !== 'shell') return true
  const place = z.looseObject({ type: text }).safeParse(environment).data?.type
  return place === undefined || place === 'local'
}

/** Claude has no tools that take text: it is the one string of an object. */
function customTool({ description, format }: AskedTool): Omit<FunctionTool, 'name'> {
  const grammar = format?.definition
    ? `The input has to follow this ${format.syntax ?? ''} grammar:\n${format.definition}`
    : undefined
  return {
    description: [description, grammar].filter(Boolean).join('\n\n'),
    parameters: {
      properties: { [CUSTOM_INPUT]: { type: 'string', description: 'The whole input, as plain text.' } },
      required: [CUSTOM_INPUT],
      additionalProperties: false,
    },
  }
}

function whyNoSearch({ external_web_access: live }: AskedTool, webSearch: boolean): string | undefined {
  if (!webSearch) return 'web search is not switched on here'
  return live === false ? "Claude's web search has no cached pages, only live ones" : undefined
}

function searchOptions({ user_location, filters }: AskedTool) {
  return { user_location, allowed_domains: filters?.allowed_domains ?? undefined }
}

const named = z.looseObject({ type: text, name: text.optional(), namespace: text.nullish() })
export const AskedChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({
    type: z.literal('allowed_tools'),
    mode: z.enum(['auto', 'required']),
    tools: z.array(named),
  }),
  named,
])

/** Throws a Refusal unsupported_value for a tool that is not there. */
export function choiceOfResponses(
  choice: z.infer<typeof AskedChoice> | null | undefined,
  { names }: ToolsOfResponses,
): Choice | undefined {
  if (!choice) return undefined
  if (typeof choice === 'string') return { kind: choice }
  const claudeName = ({ type, name, namespace }: z.infer<typeof named>) => {
    if (type === 'function' || type === 'custom')
      return names.of({ kind: type, name: name ?? '', namespace: namespace ?? undefined })
    if (isBuiltIn(type)) return names.of({ kind: type })
    return WEB_SEARCH.test(type) ? 'web_search' : ''
  }
  if (choice.type !== 'allowed_tools') {
    const name = claudeName(named.parse(choice))
    if (name === '') throw unsupported('tool_choice', `${choice.type} is not offered here`)
    return { kind: 'function', name }
  }
  const { mode, tools } = choice as Extract<typeof choice, { mode: unknown }> // by its type
  return { kind: 'allowed', mode, names: tools.map(claudeName) }
}
