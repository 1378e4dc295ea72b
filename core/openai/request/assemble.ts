/** Builds the request to Claude for both of OpenAI's APIs (core/calls/PROTOCOL.md, OpenAI's requests). */
import type { Abilities } from '../../models/abilities.ts'
import type { ClientTools } from '../client-tools.ts'
import type { MessagesRequest, TextBlock, Tool, WebSearchTool } from '../messages-api.ts'
import { markCache } from './caching.ts'
import { conversation, type Talk } from './conversation.ts'
import { type ForcedTool, forcedTool } from './forced-tool.ts'
import { type AskedFormat, type Format, outputFormat } from './output-format.ts'
import { unsupported } from './refuse.ts'
import { type Choice, calledTools, chosenTools } from './tools.ts'
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
  talk: Talk
  system: TextBlock[]
  tools: (Tool | WebSearchTool)[]
  clientTools: ClientTools
  choice: Choice | undefined
  parallel: boolean
  format: AskedFormat | undefined
  /** The parameter that limits the output, and its value. */
  limit: { param: string; tokens: number | null | undefined }
  effort: { param: string; level: ReasoningEffort | null | undefined }
  thinking: Record<string, unknown> | null | undefined
  temperature: number | null | undefined
  topP: number | null | undefined
  stop: string | readonly string[] | null | undefined
  streamed: boolean
  /** The request names an end user. */
  hasUser: boolean
  /** Only what the request marks may be cached. */
  explicitCaching: boolean
  fast: boolean
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

/** Throws a Refusal that names the parameter. Appends to `warnings`. */
export function assemble(asked: ModelRequest, context: TranslationContext, warnings: string[]): Translated {
  const { abilities, model } = context
  const warn = (text: string) => void warnings.push(text)
  const talk = conversation(asked.talk, abilities, warn)
  const given = outputFormat(asked.format, abilities, warn)
  const limit = outputTokens(asked.limit, asked.streamed, abilities, warn)
  const reason = reasoning(asked, { messages: talk.messages, abilities, limit, warn })
  const { thinking } = reason
  const thinks = thinking?.type === 'enabled' || thinking?.type === 'adaptive'
  const mayForce = abilities.forcedTools && !thinks
  // A format is for texts, and the answer will be a call.
  const forced = !mayForce ? forcedTool(asked.tools, asked.choice, abilities) : undefined
  const format = forced ? formatOf(forced) : given
  if (format.format && talk.messages.at(-1)?.role === 'assistant') {
    throw unsupported(asked.talk.param, 'structured output cannot continue a message of the assistant')
  }
  // Claude wants to know the tools that were called, though none may be called any more.
  const called = asked.tools.length === 0 ? calledTools(talk.messages) : []
  const wanted = forced || called.length > 0 ? NO_TOOL : asked.choice
  const choice = { choice: wanted, parallel: asked.parallel, mayForce }
  const stops = stopSequences(asked.stop, warn)
  const system = [...asked.system, ...talk.system, ...format.system]
  const request: MessagesRequest = {
    model,
    max_tokens: reason.maxTokens,
    messages: talk.messages,
    stream: asked.streamed || !isShort(asked, reason, abilities),
    ...(system.length > 0 ? { system } : {}),
    ...(stops.length > 0 ? { stop_sequences: stops } : {}),
    ...sampling({ temperature: asked.temperature, top_p: asked.topP }, abilities, thinks, warn),
    ...chosenTools([...asked.tools, ...called], choice, warn),
    ...(thinking ? { thinking } : {}),
    ...outputConfig(reason.effort, format.format),
    ...(asked.hasUser ? { metadata: { user_id: context.userId } } : {}),
    ...(asked.fast ? { speed: 'fast' } : {}),
  }
  const automatic = context.automaticCaching && !asked.explicitCaching
  markCache(request, automatic, warn)
  return { request, warnings, clientTools: asked.clientTools, forcedTool: forced?.name }
}

/** In tokens: such an answer is there within a minute. */
const SHORT_OUTPUT = 4096

/**
 * Whether Claude is asked for the answer as a whole, which costs less to read than a stream. Longer ones are streamed to us,
 * because only a stream tells that Claude is still at work, and what was used when it breaks off.
 */
function isShort(
  { tools }: Pick<ModelRequest, 'tools'>,
  { thinking, maxTokens }: ReturnType<typeof reasoning>,
  { thinkingByDefault }: TranslationContext['abilities'],
): boolean {
  const thinks = thinking ? thinking.type !== 'disabled' : thinkingByDefault
  return maxTokens <= SHORT_OUTPUT && !thinks && !tools.some((tool) => 'type' in tool)
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
