/** A request of each of OpenAI's interfaces that has every parameter that is carried out, and places in it by their path. */
import { isRecord } from '../../core/json/is-record.ts'
import { packReasoning, packSummary } from '../../core/openai/reasoning-envelope.ts'
import { PDF, PNG } from './translation.ts'

const mark = { prompt_cache_breakpoint: { mode: 'explicit', ttl: '30m' } }
const claudes = { cache_control: { type: 'ephemeral', ttl: '1h' } }
const schema = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
}
const shared = {
  user: 'ann',
  prompt_cache_key: 'k',
  prompt_cache_options: { mode: 'implicit', ttl: '30m' },
  service_tier: 'auto',
  parallel_tool_calls: true,
  stream: false,
}

export const CHAT_BODY = {
  ...shared,
  messages: [
    { role: 'system', content: 'be brief' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'look', ...mark },
        { type: 'image_url', image_url: { url: PNG, detail: 'auto' }, ...claudes },
        { type: 'file', file: { file_data: PDF, filename: 'a.pdf' } },
      ],
    },
    {
      role: 'assistant',
      content: [{ type: 'refusal', refusal: 'no' }],
      refusal: 'never',
      tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":"1"}' } }],
    },
    { role: 'tool', tool_call_id: 'c1', content: 'done' },
    { role: 'assistant', content: null, function_call: { name: 'g', arguments: '{"b":1}' } },
    { role: 'function', name: 'g', content: 'done too' },
    { role: 'user', content: 'go on' },
  ],
  tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: schema, strict: true } }],
  functions: [{ name: 'g', description: 'd', parameters: schema, strict: true }],
  response_format: {
    type: 'json_schema',
    json_schema: { name: 'n', description: 'd', strict: true, schema },
  },
  web_search_options: { user_location: { type: 'approximate', approximate: { city: 'Bonn' } } },
  stream_options: { include_usage: false },
}

const part = { type: 'input_text', text: 'look', ...mark }
const IDS = { id: 'x_1', status: 'completed' }
const PARTS = [
  part,
  { type: 'input_image', image_url: PNG, detail: 'auto', ...claudes },
  { type: 'input_file', file_data: PDF, filename: 'a.pdf' },
  { type: 'input_file', file_url: 'https://x.test/a.pdf' },
]
const functionTool = { type: 'function', name: 'f', description: 'd', parameters: schema, strict: true }
const customTool = {
  type: 'custom',
  name: 'c',
  description: 'd',
  format: { type: 'grammar', syntax: 'lark', definition: 'start: "a"' },
}
const later = (name: string) => [
  { ...functionTool, name: `${name}_f` },
  { ...customTool, name: `${name}_c` },
]
const tools = (name: string) => [
  { ...functionTool, name: `${name}f` },
  { ...customTool, name: `${name}c` },
  { type: 'namespace', name: `${name}ns`, description: 'd', tools: later('n') },
]
const BUILT_IN = [
  { type: 'local_shell' },
  { type: 'apply_patch' },
  { type: 'shell', environment: { type: 'local' } },
  { type: 'tool_search', execution: 'client', description: 'd', parameters: schema },
  {
    type: 'web_search',
    user_location: { type: 'approximate', city: 'Bonn' },
    filters: { allowed_domains: ['x.test'] },
    external_web_access: true,
  },
]

export const RESPONSES_BODY = {
  ...shared,
  instructions: 'be brief',
  input: [
    { type: 'compaction', encrypted_content: packSummary('so far') },
    { type: 'message', role: 'user', content: PARTS, ...IDS },
    {
      type: 'reasoning',
      summary: [],
      encrypted_content: packReasoning({ type: 'thinking', thinking: 'hm', signature: 's' }),
      ...IDS,
    },
    { type: 'function_call', call_id: 'c1', name: 'f', namespace: 'ns', arguments: '{"a":"1"}', ...IDS },
    { type: 'function_call_output', call_id: 'c1', output: PARTS, ...IDS },
    { type: 'custom_tool_call', call_id: 'c2', name: 'c', input: 'text', ...IDS },
    { type: 'custom_tool_call_output', call_id: 'c2', output: PARTS.slice(2), ...IDS },
    { type: 'local_shell_call', call_id: 'c3', action: { type: 'exec', command: ['ls'], env: {} }, ...IDS },
    { type: 'local_shell_call_output', call_id: 'c3', id: 'c3', output: 'done' },
    { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }], ...IDS },
    { type: 'additional_tools', role: 'developer', tools: tools('more_'), ...IDS },
    { type: 'tool_search_call', call_id: 'c4', execution: 'client', arguments: { query: 'q' }, ...IDS },
    { type: 'tool_search_output', call_id: 'c4', execution: 'client', tools: tools('found_'), ...IDS },
    { type: 'message', role: 'user', content: 'go on' },
  ],
  tools: [...tools(''), ...BUILT_IN],
  tool_choice: 'auto',
  text: { format: { type: 'json_schema', name: 'n', description: 'd', strict: true, schema } },
  reasoning: { effort: 'high', summary: 'auto' },
  include: ['reasoning.encrypted_content'],
  metadata: { a: 'b' },
  store: false,
  stream_options: { include_obfuscation: false },
}

/** The same with all tools brought by an item. */
export const BROUGHT_BODY = {
  ...RESPONSES_BODY,
  tools: [],
  input: RESPONSES_BODY.input.map((item) =>
    item.type === 'additional_tools' ? { ...item, tools: [...tools('more_'), ...BUILT_IN] } : item,
  ),
}

interface Place {
  holder: Record<string, unknown>
  name: string
  /** As the gateway writes it: messages[0].name */
  at: string
}

/** The first place in `body` where a member of this path may be: where one is, unless `absent`. */
export function placeOf(body: object, path: string, absent = false): Place | undefined {
  const steps = path.split('.')
  const name = steps.pop() ?? ''
  return found(body, steps, '')
    .flatMap(({ value, at }): Place[] =>
      isRecord(value) ? [{ holder: value, name, at: at === '' ? name : `${at}.${name}` }] : [],
    )
    .toSorted((a, b) => (Number(name in b.holder) - Number(name in a.holder)) * (absent ? -1 : 1))[0]
}

function found(value: unknown, steps: readonly string[], at: string): { value: unknown; at: string }[] {
  const [step, ...rest] = steps
  if (step === undefined) return [{ value, at }]
  const [, key = '', kinds] = /^(\w+)(?:\[(.*)\])?$/.exec(step) ?? []
  const inner = isRecord(value) ? value[key] : undefined
  const below = at === '' ? key : `${at}.${key}`
  if (kinds === undefined) return inner === undefined ? [] : found(inner, rest, below)
  if (!Array.isArray(inner)) return []
  return inner.flatMap((element, i) =>
    kinds === '' || kinds.split('|').includes(element.type ?? element.role)
      ? found(element, rest, `${below}[${i}]`)
      : [],
  )
}
