/** Items of OpenAI's responses that come back with the next request and are neither messages nor calls of functions. */
import * as z from 'zod'
import { builtIn, builtInOfItem, CUSTOM_INPUT } from '../client-tools.ts'
import { JsonText, type ResultPart, type Turn } from '../messages-api.ts'
import { unpackSummary } from '../reasoning-envelope.ts'
import { textBlock } from './content.ts'
import { parsedBody, unsupported } from './refuse.ts'
import { AskedTool } from './responses-tools.ts'
import { calledName, type ToolIds, type ToolInputs } from './tool-ids.ts'
import type { ToolNames } from './tool-names.ts'

const text = z.string()
const CustomCall = z.looseObject({ call_id: text, name: text, namespace: text.nullish(), input: text })
const Ids = z.looseObject({ call_id: text.nullish(), id: text.nullish() })
const AgentMessage = z.looseObject({
  author: text,
  content: z.array(z.looseObject({ type: text, text: text.optional() })),
})
const Loaded = z.looseObject({ tools: z.array(AskedTool) })
/** Items that bring tools with them, which hold from there on. */
const BRINGS_TOOLS = new Set(['additional_tools', 'tool_search_output'])
const COMPACTIONS = new Set(['compaction', 'compaction_summary', 'context_compaction'])

export interface History {
  ids: ToolIds
  inputOf: ToolInputs
  names: ToolNames
  /** Results so far by the names of their calls. */
  results: Map<string, { content: ResultPart[] }>
  warn(text: string): void
}
type AnyItem = Record<string, unknown> & { type: string }

/** Throws a Refusal that names the parameter. What stays at OpenAI is left out with a warning. */
export function turnOfItem(item: AnyItem, { ids, names, warn }: History, param: string): Turn[] {
  const { type } = item
  const call = (id: string, name: string, input: object): Turn[] => {
    const written = new JsonText(JSON.stringify(input))
    const block = {
      type: 'tool_use' as const,
      id: ids.call(id, param),
      name: calledName(name),
      input: written,
    }
    return [{ role: 'assistant', content: [block] }]
  }
  if (type === 'custom_tool_call') {
    const { call_id, name, namespace, input } = parsedBody(CustomCall, item, param)
    const tool = { kind: 'custom' as const, name, namespace: namespace ?? undefined }
    return call(call_id, names.of(tool), { [CUSTOM_INPUT]: input })
  }
  const found = builtInOfItem(type)
  if (found) {
    const id = idOf(item, param)
    // OpenAI's own tool search has no call of the caller's.
    if (id === undefined) return []
    if (found.isCall) return call(id, names.of({ kind: found.name }), builtIn(found.name).inputOf(item))
    const content = [textBlock(resultText(item, names))].flatMap((block) => block ?? [])
    const tool_use_id = ids.result(id, `${param}.call_id`)
    return [{ role: 'user', content: [{ type: 'tool_result', tool_use_id, content }] }]
  }
  if (type === 'item_reference')
    throw unsupported(`${param}.type`, 'items are not stored here: send them whole, with store: false')
  if (type === 'agent_message') return messageOfAgent(item, param, warn)
  if (COMPACTIONS.has(type)) return compacted(item, param, warn)
  if (!BRINGS_TOOLS.has(type)) warn(`${param} ignored: items of type ${type.slice(0, 40)} are not understood`)
  return []
}

/** The tools that items bring, with the parameters that they stand at. */
export function toolsOfItems(
  items: readonly { type?: string | undefined }[],
): { tools: AskedTool[]; param: string }[] {
  return items.flatMap((item, i) => {
    if (!BRINGS_TOOLS.has(item.type ?? '')) return []
    return [{ tools: parsedBody(Loaded, item, `input[${i}]`).tools, param: `input[${i}].tools` }]
  })
}

function idOf(item: AnyItem, param: string): string | undefined {
  const { call_id, id } = parsedBody(Ids, item, param)
  return call_id ?? (item.type.startsWith('tool_search') ? undefined : (id ?? undefined))
}

/** What a result says: its text, the tools that it loaded, or all of it but what only tells the item. */
function resultText(item: AnyItem, names: ToolNames): string {
  const { type, id: _, call_id: __, ...result } = item
  if (type === 'tool_search_output') {
    const { tools = [] } = Loaded.safeParse(item).data ?? {}
    return `Loaded: ${namesAtClaude(tools, names).join(', ') || 'nothing'}`
  }
  const { output, status } = result
  const isText = typeof output === 'string' && output !== '' && status !== 'failed'
  return isText ? output : JSON.stringify(result)
}

function namesAtClaude(tools: readonly AskedTool[], names: ToolNames, namespace?: string): string[] {
  return tools.flatMap(({ type, name, tools: inner }) => {
    if (type === 'namespace') return namesAtClaude(inner ?? [], names, name)
    const isNamed = (type === 'function' || type === 'custom') && name !== undefined
    return isNamed ? [names.of({ kind: type, name, namespace })] : []
  })
}

/** What another agent of the caller's says. */
function messageOfAgent(item: AnyItem, param: string, warn: (text: string) => void): Turn[] {
  const { author, content } = parsedBody(AgentMessage, item, param)
  const texts = content.flatMap((part) => (part.type === 'input_text' && part.text ? [part.text] : []))
  if (texts.length < content.length) warn(`${param}.content ignored: what is encrypted cannot be read here`)
  const block = textBlock([`Message from ${author}:`, ...texts].join('\n'))
  return texts.length > 0 && block ? [{ role: 'user', content: [block] }] : []
}

/** A conversation that was compacted here goes on from its summary. */
function compacted(item: AnyItem, param: string, warn: (text: string) => void): Turn[] {
  const packed = item.encrypted_content
  const summary = unpackSummary(typeof packed === 'string' ? packed : undefined)
  if (summary !== undefined) {
    return [
      {
        role: 'user',
        content: [{ type: 'text', text: `Summary of the conversation so far:\n\n${summary}` }],
      },
    ]
  }
  warn(`${param} ignored: it was compacted elsewhere, and only that place can read it`)
  return []
}
