/**
 * Models whose thinking adapts refuse forced tools (core/calls/PROTOCOL.md, Models). Where one tool has to be called, its
 * input is asked for as structured output instead; the reply makes a call of it (core/openai/reply/forced-call.ts).
 */
import { Refusal } from '../../errors.ts'
import { isRecord } from '../../json/is-record.ts'
import type { Abilities } from '../../models/abilities.ts'
import type { TextBlock, Tool, WebSearchTool } from '../messages-api.ts'
import { structuredSchema } from './schema.ts'
import type { Choice } from './tools.ts'

export interface ForcedTool {
  name: string
  schema: object
  system: TextBlock
}

/** The one tool that has to be called and cannot be forced; undefined if there is none, or its input cannot be asked for. */
export function forcedTool(
  tools: readonly (Tool | WebSearchTool)[],
  choice: Choice | undefined,
  { structuredOutputs }: Abilities,
): ForcedTool | undefined {
  const tool = structuredOutputs ? onlyTool(tools, choice) : undefined
  if (!tool || !isClosed(tool.input_schema)) return undefined
  try {
    return {
      name: tool.name,
      schema: structuredSchema(tool.input_schema, 'tools', () => {}),
      system: {
        type: 'text',
        text: `Call the tool ${tool.name}: respond with its input as JSON and nothing else.`,
      },
    }
  } catch (cause) {
    if (cause instanceof Refusal) return undefined
    throw cause
  }
}

function onlyTool(tools: readonly (Tool | WebSearchTool)[], choice: Choice | undefined): Tool | undefined {
  const names = new Set(namesOf(tools, choice))
  const [tool, ...others] = tools.filter(({ name }) => names.has(name))
  return tool && others.length === 0 && 'input_schema' in tool ? tool : undefined
}

/** The tools of which one has to be called. */
function namesOf(
  tools: readonly { name: string }[],
  choice: Choice | undefined,
): readonly string[] | undefined {
  if (choice?.kind === 'function') return [choice.name]
  if (choice?.kind === 'required') return tools.map(({ name }) => name)
  return choice?.kind === 'allowed' && choice.mode === 'required' ? choice.names : undefined
}

/** Whether structured output can say the same: it has no objects whose members the schema does not name. */
function isClosed(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isClosed)
  if (!isRecord(schema)) return true
  const { type, properties, additionalProperties } = schema
  const isObject = type === 'object' || (Array.isArray(type) && type.includes('object'))
  const named = isRecord(properties) ? Object.values(properties) : []
  if (
    isObject &&
    (named.length === 0 || (additionalProperties !== undefined && additionalProperties !== false))
  ) {
    return false
  }
  return Object.entries(schema).every(([key, value]) =>
    key === 'properties' || key === '$defs' || key === 'definitions'
      ? Object.values(isRecord(value) ? value : {}).every(isClosed)
      : isClosed(value),
  )
}
