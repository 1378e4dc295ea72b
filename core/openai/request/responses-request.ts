/** Translates a request of OpenAI's responses into one to Claude (core/calls/PROTOCOL.md, OpenAI's requests). */

import type { ResultPart, TextBlock, Turn } from '../messages-api.ts'
import { RESPONSES } from '../parameters/responses.ts'
import { treeOf, unread } from '../parameters/unread.ts'
import { unpackReasoning } from '../reasoning-envelope.ts'
import { assemble, type ModelRequest, type Translated, type TranslationContext } from './assemble.ts'
import { fileBlock, imageBlock, marked, textBlock } from './content.ts'
import type { Talk } from './conversation.ts'
import type { AskedFormat } from './output-format.ts'
import { unsupported } from './refuse.ts'
import { type History, toolsOfItems, turnOfItem } from './responses-history.ts'
import type { Item, Part, ResponsesRequest } from './responses-shape.ts'
import { choiceOfResponses, toolsOfResponses } from './responses-tools.ts'
import { calledName, createToolIds, createToolInputs } from './tool-ids.ts'
import { fastAsked } from './tuning.ts'

const PARAMETERS = treeOf(RESPONSES)
/** What `include` can ask for here. */
const INCLUDED = new Set(['reasoning.encrypted_content', 'web_search_call.action.sources'])

/** Throws a Refusal that names the parameter. */
export function responsesToMessages(asked: ResponsesRequest, context: TranslationContext): Translated {
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const items = typeof asked.input === 'string' ? [] : asked.input
  const given = [{ tools: asked.tools ?? [], param: 'tools' }, ...toolsOfItems(items)]
  const { webSearch } = context
  const tools = toolsOfResponses(given, { webSearch, warn })
  const wanted: ModelRequest = {
    talk: talkOf(asked.input, { names: tools.names, warn }),
    system: textsOf(asked.instructions ?? ''),
    tools: tools.tools,
    clientTools: tools.names.all,
    choice: choiceOfResponses(asked.tool_choice, tools),
    parallel: asked.parallel_tool_calls !== false,
    format: formatOf(asked),
    limit: { param: 'max_output_tokens', tokens: asked.max_output_tokens },
    effort: { param: 'reasoning.effort', level: asked.reasoning?.effort },
    thinking: asked.thinking,
    temperature: asked.temperature,
    topP: asked.top_p,
    stop: undefined,
    streamed: asked.stream === true,
    hasUser: Boolean(asked.user || asked.safety_identifier),
    explicitCaching: asked.prompt_cache_options?.mode === 'explicit',
    fast: fastAsked(asked, context.abilities, warn),
  }
  checkIncluded(asked.include ?? [], warn)
  warnings.unshift(...unread(asked, PARAMETERS))
  return assemble(wanted, context, warnings)
}

function checkIncluded(include: readonly string[], warn: (text: string) => void) {
  for (const [i, one] of include.entries()) {
    if (one.endsWith('logprobs')) throw unsupported(`include[${i}]`, 'Claude tells no probabilities')
    if (!INCLUDED.has(one)) warn(`include[${i}] ignored: there is nothing of that kind here`)
  }
}

function talkOf(input: ResponsesRequest['input'], given: Pick<History, 'names' | 'warn'>): Talk {
  const ids = createToolIds()
  const history: History = { ...given, ids, inputOf: createToolInputs(), results: new Map() }
  const turns =
    typeof input === 'string'
      ? [{ role: 'user' as const, content: textsOf(input) }]
      : input.flatMap((item, i) => turnOf(item, history, `input[${i}]`))
  return { turns, ids, param: 'input' }
}

function turnOf(item: Item, history: History, param: string): Turn[] {
  const { ids, inputOf, names } = history
  if ('role' in item && 'content' in item) {
    const { role, content } = item as Extract<Item, { role: string; content: unknown }> // only messages have both
    const blocks = contentOf(content, `${param}.content`)
    if (role === 'user') return [{ role, content: blocks }]
    if (blocks.some(({ type }) => type !== 'text')) {
      throw unsupported(`${param}.content`, `messages of the ${role} have texts only; send files as the user`)
    }
    return [{ role: role === 'assistant' ? role : 'system', content: blocks }]
  }
  switch (item.type) {
    case 'function_call': {
      const { call_id, arguments: text, ...named } = item as Extract<Item, { type: 'function_call' }> // by its type
      const input = inputOf(text, `${param}.arguments`)
      const tool = { kind: 'function' as const, name: named.name, namespace: named.namespace ?? undefined }
      const block = {
        type: 'tool_use' as const,
        id: ids.call(call_id, param),
        name: calledName(names.of(tool)),
        input,
      }
      return [{ role: 'assistant', content: [block] }]
    }
    case 'custom_tool_call_output':
    case 'function_call_output': {
      const { type, call_id, output } = item as Extract<Item, { type: 'function_call_output' }> // by its type
      const content = contentOf(output, `${param}.output`)
      // A custom tool may tell more than once what it did. Claude takes one result of a call.
      const earlier =
        type === 'custom_tool_call_output' && ids.hasResult(call_id) && history.results.get(call_id)
      if (earlier) {
        for (const part of content) earlier.content.push(part)
        return []
      }
      const tool_use_id = ids.result(call_id, `${param}.call_id`)
      const result = { type: 'tool_result' as const, tool_use_id, content }
      history.results.set(call_id, result)
      return [{ role: 'user', content: [result] }]
    }
    case 'reasoning': {
      const { encrypted_content } = item as Extract<Item, { type: 'reasoning' }> // by its type
      const thinking = unpackReasoning(encrypted_content)
      if (thinking) return [{ role: 'assistant', content: [thinking] }]
      history.warn(`${param} ignored: it is the thinking of another model`)
      return []
    }
    default:
      return turnOfItem(item, history, param)
  }
}

function contentOf(content: string | readonly Part[], param: string): ResultPart[] {
  if (typeof content === 'string') return textsOf(content)
  return content.flatMap((part, i) => partOf(part, `${param}[${i}]`))
}

function textsOf(text: string): TextBlock[] {
  const block = textBlock(text)
  return block ? [block] : []
}

function partOf(part: Part, param: string): ResultPart[] {
  switch (part.type) {
    case 'refusal':
      return textsOf(part.refusal)
    case 'input_image':
      if (!part.image_url)
        throw unsupported(`${param}.file_id`, 'stored files are not known here; send image_url')
      return [marked(imageBlock(part.image_url, `${param}.image_url`), part)]
    case 'input_file':
      return [marked(fileBlock(part, param), part)]
    default:
      return textsOf(part.text).map((block) => marked(block, part))
  }
}

function formatOf({ text }: ResponsesRequest): AskedFormat | undefined {
  const format = text?.format
  if (format?.type !== 'json_schema') return format ?? undefined
  const { schema, description } = format
  const described = { ...(description ? { description } : {}), ...schema }
  return { type: 'json_schema', schema: described, param: 'text.format.schema' }
}
