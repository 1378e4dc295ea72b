/** The parts of Claude's Messages API that translations write: https://platform.claude.com/docs/en/api/messages */
export interface CacheControl {
  type: 'ephemeral'
  ttl?: '5m' | '1h'
}
/** An object as JSON, kept as the text it came in: its numbers, its order and its white space. */
export class JsonText {
  readonly json: string

  constructor(json: string) {
    this.json = json
  }
}
interface Cached {
  cache_control?: CacheControl
}
export interface TextBlock extends Cached {
  type: 'text'
  text: string
}
export interface ImageBlock extends Cached {
  type: 'image'
  source: { type: 'base64'; media_type: string; data: string } | { type: 'url'; url: string }
}
export interface DocumentBlock extends Cached {
  type: 'document'
  source:
    | { type: 'base64'; media_type: 'application/pdf'; data: string }
    | { type: 'text'; media_type: 'text/plain'; data: string }
    | { type: 'url'; url: string }
  title?: string
}
interface ToolUseBlock extends Cached {
  type: 'tool_use'
  id: string
  name: string
  input: JsonText
}
export type ResultPart = TextBlock | ImageBlock | DocumentBlock
interface ToolResultBlock extends Cached {
  type: 'tool_result'
  tool_use_id: string
  content: ResultPart[]
}
export interface ThinkingBlock {
  type: 'thinking'
  thinking: string
  signature: string
}
export interface RedactedThinkingBlock {
  type: 'redacted_thinking'
  data: string
}
export type Block =
  | TextBlock
  | ImageBlock
  | DocumentBlock
  | ToolUseBlock
  | ToolResultBlock
  | ThinkingBlock
  | RedactedThinkingBlock
export type Role = 'user' | 'assistant' | 'system'
export interface Turn {
  role: Role
  content: Block[]
}

export type Thinking =
  | { type: 'adaptive' | 'disabled' | 'between_tools' }
  | { type: 'enabled'; budget_tokens: number }
export type ToolChoice =
  | { type: 'none' }
  | { type: 'auto' | 'any'; disable_parallel_tool_use?: boolean }
  | { type: 'tool'; name: string; disable_parallel_tool_use?: boolean }
export interface Tool {
  name: string
  description?: string
  input_schema: object
  strict?: boolean
}
export interface WebSearchTool {
  type: 'web_search_20250305'
  name: 'web_search'
  allowed_domains?: string[]
  user_location?: object
}

export interface MessagesRequest {
  model: string
  max_tokens: number
  messages: Turn[]
  stream: boolean
  system?: TextBlock[]
  stop_sequences?: string[]
  temperature?: number
  top_p?: number
  tools?: (Tool | WebSearchTool)[]
  tool_choice?: ToolChoice
  thinking?: Thinking | Record<string, unknown>
  output_config?: { effort?: string; format?: { type: 'json_schema'; schema: object } }
  metadata?: { user_id: string }
  speed?: 'fast'
}

/** The request as JSON, with the input of each tool call as it was written. Content may be what Claude answered. */
export function requestText<T extends { messages: readonly SentTurn[] }>({ messages, ...rest }: T): string {
  const parts: string[] = []
  let plain: SentTurn[] = []
  const endPlain = () => {
    if (plain.length > 0) parts.push(JSON.stringify(plain).slice(1, -1))
    plain = []
  }
  for (const turn of messages) {
    if (!turn.content.some(hasText)) plain.push(turn)
    else {
      endPlain()
      parts.push(`{"role":"${turn.role}","content":[${turn.content.map(blockText).join(',')}]}`)
    }
  }
  endPlain()
  return `${JSON.stringify({ ...rest, messages: [] }).slice(0, -2)}${parts.join(',')}]}`
}

interface SentTurn {
  role: Role
  content: readonly object[]
}

function hasText(block: object): block is { input: JsonText } {
  return 'input' in block && block.input instanceof JsonText
}

function blockText(block: object): string {
  if (!hasText(block)) return JSON.stringify(block)
  const { input, ...rest } = block
  return `${JSON.stringify(rest).slice(0, -1)},"input":${input.json}}`
}
