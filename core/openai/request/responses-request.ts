/** Translates a request of OpenAI's responses into one to Claude (core/calls/PROTOCOL.md, OpenAI's requests). */

import { invalidField } from '../../errors.ts'
import type { Block, ImageBlock, Role, TextBlock, Tool, Turn, WebSearchTool } from '../messages-api.ts'
import { unpackReasoning } from '../reasoning-envelope.ts'
import { assemble, type Translated, type TranslationContext } from './assemble.ts'
import { fileBlock, imageBlock, marked, textBlock } from './content.ts'
import { createToolIds, toolInput } from './conversation.ts'
import type { AskedFormat } from './output-format.ts'
import { unsupported } from './refuse.ts'
import { type Item, PASSED_OVER, type Part, ResponsesRequest } from './responses-shape.ts'
import { type Choice, toolOf, webSearchTool } from './tools.ts'

const KNOWN = new Set(Object.keys(ResponsesRequest.shape))
type ToolIds = ReturnType<typeof createToolIds>

/** Throws a Refusal that names the parameter. */
export function responsesToMessages(asked: ResponsesRequest, context: TranslationContext): Translated {
  assertStateless(asked)
  const unknown = Object.keys(asked).filter((name) => !KNOWN.has(name) && !PASSED_OVER.has(name))
  const system = asked.instructions ? [textBlock(asked.instructions)].flatMap((block) => block ?? []) : []
  return assemble(
    {
      turns: turnsOf(asked.input),
      turnsParam: 'input',
      system,
      tools: toolsOf(asked, context),
      choice: choiceOf(asked),
      parallel: asked.parallel_tool_calls !== false,
      format: formatOf(asked),
      maxTokens: asked.max_output_tokens,
      effort: asked.reasoning?.effort,
      thinking: asked.thinking,
      temperature: asked.temperature,
      topP: asked.top_p,
      stop: undefined,
      streamed: asked.stream === true,
      hasUser: Boolean(asked.user || asked.safety_identifier),
      explicitCaching: asked.prompt_cache_options?.mode === 'explicit',
    },
    context,
    unknown.length > 0 ? [`ignored: ${unknown.join(', ')}`] : [],
  )
}

function assertStateless(asked: ResponsesRequest) {
  const why = 'nothing is stored here: send the whole conversation, and store: false'
  if (asked.previous_response_id) throw unsupported('previous_response_id', why)
  if (asked.conversation) throw unsupported('conversation', why)
  if (asked.background) throw unsupported('background', 'answers are given at once')
  if (asked.store) throw unsupported('store', why)
}

function turnsOf(input: ResponsesRequest['input']): Turn[] {
  if (typeof input === 'string') {
    return [{ role: 'user', content: [textBlock(input)].flatMap((block) => block ?? []) }]
  }
  const ids = createToolIds()
  return input.flatMap((item, i) => turnOf(item, ids, `input[${i}]`))
}

function turnOf(item: Item, ids: ToolIds, param: string): Turn[] {
  if ('role' in item && 'content' in item) {
    const { role, content } = item as Extract<Item, { role: string; content: unknown }> // only messages have both
    const to: Role = role === 'developer' ? 'system' : role
    return [{ role: to, content: contentOf(content, `${param}.content`) }]
  }
  switch (item.type) {
    case 'function_call': {
      const { call_id, name, arguments: text } = item as Extract<Item, { type: 'function_call' }> // by its type
      const input = toolInput(text, `${param}.arguments`)
      return [{ role: 'assistant', content: [{ type: 'tool_use', id: ids.call(call_id), name, input }] }]
    }
    case 'function_call_output': {
      const { call_id, output } = item as Extract<Item, { type: 'function_call_output' }> // by its type
      const content = contentOf(output, `${param}.output`).filter(isShown)
      const tool_use_id = ids.result(call_id, `${param}.call_id`)
      return [{ role: 'user', content: [{ type: 'tool_result', tool_use_id, content }] }]
    }
    case 'reasoning': {
      const { encrypted_content } = item as Extract<Item, { type: 'reasoning' }> // by its type
      const thinking = unpackReasoning(encrypted_content)
      return thinking ? [{ role: 'assistant', content: [thinking] }] : []
    }
    case 'item_reference':
      throw unsupported(`${param}.type`, 'items are not stored here: send them whole, with store: false')
    default:
      throw unsupported(`${param}.type`, `items of type ${item.type} are not understood`)
  }
}

function isShown(block: Block): block is TextBlock | ImageBlock {
  return block.type === 'text' || block.type === 'image'
}

function contentOf(content: string | readonly Part[], param: string): Block[] {
  if (typeof content === 'string') return [textBlock(content)].flatMap((block) => block ?? [])
  return content.flatMap((part, i) => partOf(part, `${param}[${i}]`))
}

function partOf(part: Part, param: string): Block[] {
  if (part.type === 'refusal') return [textBlock(String(part.refusal))].flatMap((block) => block ?? [])
  const { prompt_cache_breakpoint: breakpoint } = part
  if (part.type === 'input_image') {
    if (!part.image_url)
      throw unsupported(`${param}.file_id`, 'stored files are not known here; send image_url')
    return [marked(imageBlock(String(part.image_url), `${param}.image_url`), breakpoint)]
  }
  if (part.type === 'input_file') {
    const { file_data, file_id, filename, file_url: url } = part
    if (url)
      return [marked({ type: 'document', source: { type: 'url', url: String(url) } } as const, breakpoint)]
    const file = {
      file_data: file_data ?? undefined,
      file_id: file_id ?? undefined,
      filename: filename ?? undefined,
    }
    return [marked(fileBlock(file, param), breakpoint)]
  }
  const block = textBlock(part.text)
  return block ? [marked(block, breakpoint)] : []
}

function toolsOf({ tools }: ResponsesRequest, { webSearch }: TranslationContext): (Tool | WebSearchTool)[] {
  return (tools ?? []).map((tool, i) => {
    const param = `tools[${i}]`
    if (tool.type === 'function') {
      if (!tool.name) throw invalidField(`${param}.name`, 'a name is expected')
      return toolOf({ ...tool, name: tool.name }, param)
    }
    const searches = tool.type === 'web_search' || tool.type === 'web_search_preview'
    if (searches && webSearch) return webSearchTool(tool)
    throw unsupported(
      `${param}.type`,
      searches ? 'web search is not switched on here' : 'only functions are understood',
    )
  })
}

function choiceOf({ tool_choice: choice }: ResponsesRequest): Choice | undefined {
  if (!choice) return undefined
  if (typeof choice === 'string') return { kind: choice }
  if (choice.type === 'function') return { kind: 'function', name: choice.name }
  return { kind: 'allowed', mode: choice.mode, names: choice.tools.flatMap(({ name }) => name ?? []) }
}

function formatOf({ text }: ResponsesRequest): AskedFormat | undefined {
  const format = text?.format
  if (format?.type !== 'json_schema') return format ?? undefined
  return { type: 'json_schema', schema: format.schema, param: 'text.format.schema' }
}
