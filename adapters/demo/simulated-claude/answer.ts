/** The simulated Claude's answers: a text, a tool call or JSON, depending on the request. */
import * as z from 'zod'
import type { Asked, AskedMessage } from './asked.ts'
import { Block } from './asked.ts'
import { excerpt, sampleOf } from './sample.ts'
import { CHARACTERS_PER_TOKEN, tokensOf } from './usage.ts'

const LONGEST_QUOTE = 200
/** What clients add to a person's words: Claude Code and Codex. */
const ADDED = /<(system-reminder|environment_context)>.*?<\/\1>/gs
/** What the gateway asks for in the system prompt, where OpenAI's interface has `response_format: json_object`. */
const JSON_ALONE = /\bvalid JSON object and nothing else\b/
const HELLO = 'hello from the simulated Claude'
/** A command that the person wrote out: run `touch file`. */
const COMMAND = /`([^`\n]+)`/
/** Inputs of tools that need more than a value of the right type: Claude Code's, then Codex's. */
const INPUTS = new Map(
  Object.entries<object>({
    Bash: { command: `echo ${HELLO}`, description: 'Say hello' },
    exec_command: { cmd: `echo ${HELLO}` },
    exec: { input: `text('${HELLO}')` },
    apply_patch: { input: `*** Begin Patch\n*** Add File: simulated.txt\n+${HELLO}\n*** End Patch\n` },
  }),
)

export type AnswerBlock =
  | { type: 'text'; text: string }
  | { type: 'tool_use' | 'server_tool_use'; id: string; name: string; input: unknown }
  | { type: 'bash_code_execution_tool_result'; tool_use_id: string; content: object }

export interface Answer {
  blocks: AnswerBlock[]
  stopReason: 'end_turn' | 'tool_use' | 'max_tokens'
  outputTokens: number
}

/** `makeFile` makes a file as code execution does and returns its id; undefined without code execution. */
export function answerTo(asked: AskedMessage, makeFile?: () => string): Answer {
  if (asked.max_tokens === 0) return { blocks: [], stopReason: 'max_tokens', outputTokens: 0 }
  const last = asked.messages.findLast(({ role }) => role === 'user')
  const content = last?.content ?? ''
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content
  const text = blocks
    .map((block) => (block.text ?? '').replace(ADDED, ''))
    .join('\n')
    .trim()
  const result = blocks.findLast(({ type }) => type === 'tool_result')
  const tool = toolFor(asked, result === undefined ? text : '')
  if (tool) return sized(toolCall(tool, text), asked.max_tokens)

  const format = asked.output_config?.format
  if (format?.type === 'json_schema') {
    return sized([{ type: 'text', text: JSON.stringify(sampleOf(format.schema, text)) }], asked.max_tokens)
  }
  const reply = result ? aboutResult(result) : aboutText(text)
  if (JSON_ALONE.test(textOf(asked.system)))
    return sized([{ type: 'text', text: JSON.stringify({ answer: reply }) }], asked.max_tokens)
  if (makeFile && /\bfile\b/.test(text))
    return sized([...execution(makeFile()), { type: 'text', text: reply }], asked.max_tokens)
  return sized([{ type: 'text', text: reply }], asked.max_tokens)
}

function textOf(content: AskedMessage['system']): string {
  return typeof content === 'string' ? content : (content ?? []).map(({ text = '' }) => text).join('\n')
}

function aboutText(text: string): string {
  const said = excerpt(text, LONGEST_QUOTE)
  const quote = said ? `You said: “${said}”` : 'You did not say anything.'
  return (
    `Hello! I am a simulated Claude: no model is behind these words. ${quote}\n\n` +
    'This answer was streamed piece by piece through the gateway, and its tokens were counted and priced as ' +
    'those of a real one would be. Ask me to run something and I will use a tool, if you brought one.'
  )
}

function aboutResult({ content, is_error }: z.infer<typeof Block>): string {
  const text = typeof content === 'string' ? content : textOf(z.array(Block).safeParse(content).data)
  const said = excerpt(text, LONGEST_QUOTE) || 'nothing'
  const verb = is_error ? 'failed and said' : 'said'
  return `The tool ${verb}: “${said}”. That is all a simulated Claude can make of it.`
}

function execution(file_id: string): AnswerBlock[] {
  const id = `srvtoolu_sim${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`
  const outputs = [{ type: 'bash_code_execution_output', file_id }]
  const content = {
    type: 'bash_code_execution_result',
    stdout: '',
    stderr: '',
    return_code: 0,
    content: outputs,
  }
  return [
    { type: 'server_tool_use', id, name: 'bash_code_execution', input: { command: 'touch simulated.txt' } },
    { type: 'bash_code_execution_tool_result', tool_use_id: id, content },
  ]
}

type NamedTool = { name: string; input_schema: unknown }

function toolFor({ tools, tool_choice }: Asked, text: string): NamedTool | undefined {
  // Server tools have no input schema, and deferred tools would have to be searched first.
  const usable = (tools ?? []).flatMap(({ name, input_schema, defer_loading }) =>
    name && input_schema && !defer_loading ? [{ name, input_schema }] : [],
  )
  const kind = tool_choice?.type
  if (kind === 'none') return undefined
  if (kind === 'tool') return usable.find(({ name }) => name === tool_choice?.name)
  return toolAskedFor(usable, text) ?? (kind === 'any' ? usable[0] : undefined)
}

function toolAskedFor(tools: readonly NamedTool[], text: string): NamedTool | undefined {
  const words = text.toLowerCase()
  const mentioned = tools.find(({ name }) => names(words, name))
  if (mentioned) return mentioned
  const topic = /\bweather\b/.exec(words)?.[0] ?? /\b(run|list|bash)\b/.exec(words)?.[0]
  const called = (part: string) => tools.find(({ name }) => name.toLowerCase().includes(part))
  if (topic) {
    const about = called(topic) ?? (topic === 'weather' ? undefined : called('bash'))
    return about ?? (tools.length === 1 ? tools[0] : undefined)
  }
  return words.includes('use the tool') ? tools[0] : undefined
}

/** Whether the words ask for a tool. A plain word needs "use" or "tool" beside it, so that "write a poem" writes no file. */
function names(words: string, tool: string): boolean {
  const name = tool.toLowerCase()
  const isPlainWord = /^[A-Z]?[a-z]+$/.test(tool)
  if (!isPlainWord) return words.includes(name)
  return [`use ${name}`, `use the ${name}`, `${name} tool`].some((phrase) => words.includes(phrase))
}

function toolCall({ name, input_schema }: NamedTool, text: string): AnswerBlock[] {
  const id = `toolu_sim${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`
  const command = name === 'Bash' ? COMMAND.exec(text)?.[1] : undefined
  const usual = INPUTS.get(name) ?? sampleOf(input_schema, text)
  const input = command === undefined ? usual : { command, description: 'Do what was asked' }
  return [
    { type: 'text', text: `I will use ${name} for that.` },
    { type: 'tool_use', id, name, input },
  ]
}

/** Counts the tokens of an answer and cuts a text that exceeds `maxTokens`. */
function sized(blocks: AnswerBlock[], maxTokens: number): Answer {
  const size = blocks.map(
    (block) =>
      (block.type === 'text' ? block.text : JSON.stringify('input' in block ? block.input : {})).length,
  )
  const outputTokens = tokensOf(size.reduce((total, length) => total + length, 0))
  const [first] = blocks
  if (outputTokens > maxTokens && first?.type === 'text') {
    const text = first.text.slice(0, maxTokens * CHARACTERS_PER_TOKEN).toWellFormed()
    return { blocks: [{ type: 'text', text }], stopReason: 'max_tokens', outputTokens: tokensOf(text.length) }
  }
  const usesTool = blocks.some(({ type }) => type === 'tool_use')
  return { blocks, stopReason: usesTool ? 'tool_use' : 'end_turn', outputTokens }
}
