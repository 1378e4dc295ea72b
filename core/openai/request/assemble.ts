/** Builds the request to Claude for both of OpenAI's APIs (core/calls/PROTOCOL.md, OpenAI's requests). */
import type { Abilities } from '../../models/abilities.ts'
import type { ClientTools } from '../client-tools.ts'
import type { MessagesRequest, TextBlock, Tool, Turn, WebSearchTool } from '../messages-api.ts'
import { conversation } from './conversation.ts'
import { type ForcedTool, forcedTool } from './forced-tool.ts'
import { type AskedFormat, type Format, outputFormat } from './output-format.ts'
import { type Choice, chosenTools } from './tools.ts'
import { outputTokens, type ReasoningEffort, reasoning, sampling, stopSequences } from './tuning.ts'

export interface TranslationContext {
  /** The model that is sent, and what it can do. */
  model: string
  abilities: Abilities
  /** Pseudonym of the caller for the upstream: it does not reveal who they are. */
  userId: string
  webSearch: boolean
  automaticCaching: boolean
}

/** A request in the terms that both APIs share. `param` names are those of the caller's API. */
export interface ModelRequest {
  turns: Turn[]
  turnsParam: string
  system: TextBlock[]
  tools: (Tool | WebSearchTool)[]
  clientTools: ClientTools
  choice: Choice | undefined
  parallel: boolean
  format: AskedFormat | undefined
  maxTokens: number | null | undefined
  effort: ReasoningEffort | null | undefined
  thinking: Record<string, unknown> | null | undefined
  temperature: number | null | undefined
  topP: number | null | undefined
  stop: string | readonly string[] | null | undefined
  streamed: boolean
  /** The request names an end user. */
  hasUser: boolean
  /** Only what the request marks may be cached. */
  explicitCaching: boolean
}

export interface Translated {
  request: MessagesRequest
  /** What the translation dropped or changed, for x-gateway-warning. */
  warnings: string[]
  /** What the tools stand for in the caller's interface. */
  clientTools: ClientTools
  /** The tool that the answer's text will be the input of. */
  forcedTool: string | undefined
}

/** Prompts with tools and more characters (UTF-16 units) than this are cached. */
const CACHED_CHARACTERS = 4_000

/** Throws a Refusal that names the parameter. Appends to `warnings`. */
export function assemble(asked: ModelRequest, context: TranslationContext, warnings: string[]): Translated {
  const { abilities, model } = context
  const warn = (text: string) => void warnings.push(text)
  const talk = conversation(asked.turns, abilities, asked.turnsParam)
  const given = outputFormat(asked.format, abilities)
  const limit = outputTokens(asked.maxTokens, asked.streamed, abilities)
  const reason = reasoning(asked.effort, talk.messages, abilities, limit)
  const thinking = asked.thinking ?? reason.thinking
  const thinkingEnabled = thinking?.type === 'enabled'
  const mayForce = abilities.forcedTools && !thinkingEnabled
  const isText = (asked.format?.type ?? 'text') === 'text'
  const forced = !mayForce && isText ? forcedTool(asked.tools, asked.choice, abilities) : undefined
  const format = forced ? formatOf(forced) : given
  const choice = { choice: forced ? NO_TOOL : asked.choice, parallel: asked.parallel, mayForce }
  const stops = stopSequences(asked.stop)
  const system = [...asked.system, ...talk.system, ...format.system]
  const request: MessagesRequest = {
    model,
    max_tokens: reason.maxTokens,
    messages: talk.messages,
    stream: true,
    ...(system.length > 0 ? { system } : {}),
    ...(stops.length > 0 ? { stop_sequences: stops } : {}),
    ...sampling({ temperature: asked.temperature, top_p: asked.topP }, abilities, thinkingEnabled, warn),
    ...chosenTools(asked.tools, choice, warn),
    ...(thinking ? { thinking } : {}),
    ...outputConfig(reason.effort, format.format),
    ...(asked.hasUser ? { metadata: { user_id: context.userId } } : {}),
  }
  if (context.automaticCaching && !asked.explicitCaching && request.tools && isLong(request)) {
    request.cache_control = { type: 'ephemeral' }
  }
  return { request, warnings, clientTools: asked.clientTools, forcedTool: forced?.name }
}

const NO_TOOL: Choice = { kind: 'none' }

/** The tools stay, because the conversation may have calls of them. */
function formatOf({ schema, system }: ForcedTool): Format {
  return { format: { type: 'json_schema', schema }, system: [system] }
}

function outputConfig(
  effort: string | undefined,
  format: { type: 'json_schema'; schema: object } | undefined,
): Pick<MessagesRequest, 'output_config'> {
  if (!effort && !format) return {}
  return { output_config: { ...(effort ? { effort } : {}), ...(format ? { format } : {}) } }
}

function isLong({ system = [], messages }: MessagesRequest): boolean {
  let length = 0
  for (const block of [...system, ...messages.flatMap(({ content }) => content)]) {
    if (block.type === 'text') length += block.text.length
    if (block.type === 'tool_result' && typeof block.content !== 'string') {
      for (const part of block.content) if (part.type === 'text') length += part.text.length
    }
    if (length > CACHED_CHARACTERS) return true
  }
  return false
}
