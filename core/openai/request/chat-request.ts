/** Translates a chat completion into a request to Claude (core/calls/PROTOCOL.md, OpenAI's requests). */

import { invalidField } from '../../errors.ts'
import type { Tool, WebSearchTool } from '../messages-api.ts'
import { CHAT } from '../parameters/chat.ts'
import { treeOf, unread } from '../parameters/unread.ts'
import { assemble, type ModelRequest, type Translated, type TranslationContext } from './assemble.ts'
import { talkOf } from './chat-messages.ts'
import type { ChatRequest } from './chat-shape.ts'
import type { AskedFormat } from './output-format.ts'
import { unsupported } from './refuse.ts'
import { type Choice, toolOf, webSearchTool } from './tools.ts'
import { fastAsked } from './tuning.ts'

const PARAMETERS = treeOf(CHAT)

/** Throws a Refusal that names the parameter. */
export function chatToMessages(asked: ChatRequest, context: TranslationContext): Translated {
  if (asked.modalities?.some((one) => one !== 'text'))
    throw unsupported('modalities', 'Claude answers in text')
  const warnings: string[] = []
  const warn = (text: string) => void warnings.push(text)
  const wanted: ModelRequest = {
    talk: talkOf(asked.messages),
    system: [],
    tools: toolsOf(asked, context, warn),
    clientTools: new Map(),
    choice: choiceOf(asked),
    // An answer has one deprecated `function_call`.
    parallel: asked.parallel_tool_calls !== false && !asked.functions?.length,
    format: formatOf(asked),
    limit:
      asked.max_completion_tokens != null
        ? { param: 'max_completion_tokens', tokens: asked.max_completion_tokens }
        : { param: 'max_tokens', tokens: asked.max_tokens },
    effort: { param: 'reasoning_effort', level: asked.reasoning_effort },
    thinking: asked.thinking,
    temperature: asked.temperature,
    topP: asked.top_p,
    stop: asked.stop,
    streamed: asked.stream === true,
    hasUser: Boolean(asked.user || asked.safety_identifier),
    explicitCaching: asked.prompt_cache_options?.mode === 'explicit',
    fast: fastAsked(asked, context.abilities, warn),
  }
  warnings.unshift(...unread(asked, PARAMETERS))
  return assemble(wanted, context, warnings)
}

function toolsOf(
  asked: ChatRequest,
  { webSearch }: TranslationContext,
  warn: (text: string) => void,
): (Tool | WebSearchTool)[] {
  const given = (asked.tools ?? []).map((tool, i) => {
    const param = `tools[${i}]`
    if (tool.type !== 'function') throw unsupported(`${param}.type`, 'only functions are understood')
    if (!tool.function) throw invalidField(`${param}.function`, 'a function is expected')
    return toolOf(tool.function, `${param}.function`, warn)
  })
  const functions = (asked.functions ?? []).map((one, i) => toolOf(one, `functions[${i}]`, warn))
  const tools: (Tool | WebSearchTool)[] = [...given, ...functions]
  if (asked.web_search_options) {
    if (!webSearch) throw unsupported('web_search_options', 'web search is not switched on here')
    tools.push(webSearchTool(asked.web_search_options))
  }
  return tools
}

function choiceOf({ tool_choice: choice, function_call: legacy }: ChatRequest): Choice | undefined {
  if (typeof choice === 'string') return { kind: choice }
  if (choice?.type === 'function') return { kind: 'function', name: choice.function.name }
  if (choice?.type === 'allowed_tools') {
    const { mode, tools } = choice.allowed_tools
    return { kind: 'allowed', mode, names: tools.flatMap((tool) => tool.function?.name ?? []) }
  }
  if (typeof legacy === 'string') return { kind: legacy }
  return legacy ? { kind: 'function', name: legacy.name } : undefined
}

function formatOf({ response_format: format }: ChatRequest): AskedFormat | undefined {
  if (format?.type !== 'json_schema') return format ?? undefined
  const param = 'response_format.json_schema.schema'
  const { schema = {}, description } = format.json_schema
  return { type: 'json_schema', schema: { ...(description ? { description } : {}), ...schema }, param }
}
