/** Translates messages of chat completions into Claude's turns (core/calls/PROTOCOL.md, OpenAI's requests). */

import type { Block, ResultPart, TextBlock, Turn } from '../messages-api.ts'
import type { ChatMessage, UserPart } from './chat-shape.ts'
import { fileBlock, imageBlock, type Mark, marked, textBlock } from './content.ts'
import type { Talk } from './conversation.ts'
import { unsupported } from './refuse.ts'
import { calledName, createToolIds, createToolInputs, type ToolIds, type ToolInputs } from './tool-ids.ts'

type Message<R extends ChatMessage['role']> = Extract<ChatMessage, { role: R }>

/** Tool calls of the messages so far. */
interface Called {
  ids: ToolIds
  inputOf: ToolInputs
  /** Name → id of its calls, because the deprecated `function_call` has no id. */
  functions: Map<string, string>
}

/** Throws a Refusal that names the part. */
export function talkOf(messages: readonly ChatMessage[]): Talk {
  const ids = createToolIds()
  const called: Called = { ids, inputOf: createToolInputs(), functions: new Map() }
  const turns = messages.map((message, i) => turnOf(message, called, `messages[${i}]`))
  return { turns, ids, param: 'messages' }
}

function turnOf(message: ChatMessage, called: Called, param: string): Turn {
  switch (message.role) {
    case 'system':
    case 'developer':
      return { role: 'system', content: texts(message.content) }
    case 'user':
      return { role: 'user', content: partsOf(message.content, param) }
    case 'assistant':
      return { role: 'assistant', content: assistantContent(message, called, param) }
    case 'tool': {
      const tool_use_id = called.ids.result(message.tool_call_id, `${param}.tool_call_id`)
      return { role: 'user', content: [resultOf(tool_use_id, partsOf(message.content, param))] }
    }
    case 'function': {
      const tool_use_id = called.ids.result(called.functions.get(message.name) ?? '', `${param}.name`)
      return { role: 'user', content: [resultOf(tool_use_id, texts(message.content ?? ''))] }
    }
  }
}

function texts(content: string | readonly ({ text: string } & Mark)[]): TextBlock[] {
  if (typeof content === 'string') return [textBlock(content)].flatMap((block) => block ?? [])
  return content.flatMap((part) => {
    const block = textBlock(part.text)
    return block ? [marked(block, part)] : []
  })
}

function resultOf(tool_use_id: string, content: ResultPart[]): Block {
  return { type: 'tool_result', tool_use_id, content }
}

function partsOf(content: string | readonly UserPart[], param: string): ResultPart[] {
  if (typeof content === 'string') return texts(content)
  return content.flatMap((part, i) => partOf(part, `${param}.content[${i}]`))
}

function partOf(part: UserPart, param: string): ResultPart[] {
  switch (part.type) {
    case 'text':
      return texts([part])
    case 'image_url':
      return [marked(imageBlock(part.image_url.url, `${param}.image_url.url`), part)]
    case 'file':
      return [marked(fileBlock(part.file, `${param}.file`), part)]
    case 'input_audio':
      throw unsupported(`${param}.type`, 'audio is not understood')
  }
}

function assistantContent(message: Message<'assistant'>, called: Called, param: string): Block[] {
  if (message.audio) throw unsupported(`${param}.audio`, 'audio is not understood')
  const { content, refusal, tool_calls, function_call } = message
  const said = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? [])
  const blocks: Block[] = said.flatMap((part) => texts(part.type === 'refusal' ? part.refusal : [part]))
  if (refusal) blocks.push(...texts(refusal))
  for (const [i, call] of (tool_calls ?? []).entries()) {
    const at = `${param}.tool_calls[${i}]`
    if (!call.function) throw unsupported(`${at}.type`, 'only function calls are understood')
    const { name, arguments: text } = call.function
    const input = called.inputOf(text, `${at}.function.arguments`)
    blocks.push({ type: 'tool_use', id: called.ids.call(call.id, at), name: calledName(name), input })
  }
  if (function_call) {
    const { name, arguments: text } = function_call
    const at = `${param}.function_call`
    const given = `function_call_${calledName(name)}`
    called.functions.set(name, given)
    const input = called.inputOf(text, `${at}.arguments`)
    blocks.push({ type: 'tool_use', id: called.ids.call(given, at), name: calledName(name), input })
  }
  return blocks
}
