/**
 * Random requests to OpenAI's interfaces: every kind of message, part, item and tool that the types of openai 7.57 know, in
 * orders that clients send and in some that they should not.
 */
import fc from 'fast-check'
import { packReasoning } from '../../core/openai/reasoning-envelope.ts'
import { randomFormat, randomParameters } from './json-schemas.ts'

const MODELS = [
  'claude-fable-5-2',
  'claude-fable-5-1',
  'claude-mythos-5',
  'claude-opus-5-5',
  'claude-sonnet-5-5',
  'claude-haiku-5-5',
  'claude-opus-5',
  'claude-sonnet-5',
  'claude-opus-4-8',
  'claude-opus-4-7',
  'claude-opus-4-6',
  'claude-sonnet-4-5',
  'claude-haiku-4-5',
  'claude-opus-4-1',
  'claude-3-7-sonnet',
  'claude-haiku-3-5',
  'claude-new',
] as const
export const model = fc.constantFrom(...MODELS)

const BLANKS = ['', ' ', '\n\n', '\t \u00a0']
const text = fc.oneof(
  { weight: 6, arbitrary: fc.string({ minLength: 1, unit: 'grapheme' }) },
  { weight: 3, arbitrary: fc.constantFrom(...BLANKS) },
  { weight: 1, arbitrary: fc.constantFrom('half \ud83d', 'ends in space ', 'x'.repeat(5_000)) },
)
/** Few ids, so that they come again. */
const id = fc.constantFrom('c1', 'c2', 'call.3', 'ä ö', 'toolu_01')
const name = fc.constantFrom('f', 'get_weather', 'g-2')
const mark = fc.constantFrom<object>(
  {},
  {},
  { prompt_cache_breakpoint: { mode: 'explicit', ttl: '30m' } },
  ...['5m', '1h', undefined].map((ttl) => ({ cache_control: { type: 'ephemeral', ttl } })),
)
const marked = (part: Record<string, fc.Arbitrary<unknown>>) =>
  fc.tuple(fc.record(part), mark).map(([made, mark]) => ({ ...made, ...mark }))
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** Mostly the first kind. */
const mostly = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>, times = 30) =>
  fc.oneof({ weight: times, arbitrary: usual }, { weight: 1, arbitrary: rare })

const IMAGES = [
  'data:image/png;base64,iVBORw0KGgo=',
  'data:image/jpg;base64,/9j/AAAA',
  'data:image/png;base64,/9j/AAAA',
  'data:image/gif;base64,R0lGOD\r\nlhAQ',
  'https://x.test/a.png',
]
const NO_IMAGES = ['http://x.test/a.png', 'data:image/svg+xml;utf8,<svg/>', 'data:image/png;base64,*']
const FILES = [
  'data:application/pdf;base64,JVBERi0=',
  'JVBERi0xLjQ=',
  'JVBERi0x\nLjQ=',
  'data:text/plain;base64,w6Q=',
  'data:text/plain,a%20b',
  'data:application/octet-stream;base64,JVBERi0=',
]
const NO_FILES = ['data:text/plain,%', 'data:text/plain,', 'aGVsbG8=', 'data:application/zip;base64,AAAA']
const image = mostly(fc.constantFrom(...IMAGES), fc.constantFrom(...NO_IMAGES))
const file = fc.record({
  file_data: mostly(fc.constantFrom(...FILES), fc.constantFrom(...NO_FILES)),
  filename: optional(fc.constantFrom('a.pdf', 'notes.md', ' ', 'a')),
})

/** Arguments as models and people write them. */
const argumentsText = fc.oneof(
  fc.constantFrom(
    '',
    '{}',
    '{"id": 2512292042121000001, "r": 1.0}',
    ' {"b":1,"a":"\\ud83d"} ',
    '{"10":1,"2":2}',
  ),
  fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 })).map((value) => JSON.stringify(value)),
)
const broken = fc.constantFrom('[]', '{', 'null', '"text"')
const anyArguments = mostly(argumentsText, broken)

type Segment = fc.Arbitrary<object[]>

function orders(calls: readonly { id: string }[]): fc.Arbitrary<string[]> {
  const ids = calls.map((call) => call.id)
  return mostly(fc.shuffledSubarray(ids, { minLength: ids.length }), fc.shuffledSubarray(ids))
}

// Chat completions

const chatPart = fc.oneof(
  marked({ type: fc.constant('text'), text }),
  image.map((url) => ({ type: 'image_url', image_url: { url, detail: 'high' } })),
  file.map((one) => ({ type: 'file', file: one })),
)
const chatTexts = fc.oneof(text, fc.array(marked({ type: fc.constant('text'), text }), { maxLength: 3 }))
const chatContent = fc.oneof(text, fc.array(chatPart, { maxLength: 4 }))
const chatUser: Segment = chatContent.map((content) => [{ role: 'user', name: 'ann', content }])
const chatSystem: Segment = fc
  .tuple(fc.constantFrom('system', 'developer'), chatTexts)
  .map(([role, content]) => [{ role, content }])
const chatSaid: Segment = fc
  .tuple(chatTexts, optional(text))
  .map(([content, refusal]) => [{ role: 'assistant', content, refusal: refusal ?? null }])
const chatWorked: Segment = fc
  .tuple(
    fc.array(fc.record({ id, name, arguments: anyArguments }), { minLength: 1, maxLength: 3 }),
    fc.oneof(text, fc.constant(null)),
    chatContent,
    fc.oneof(
      { weight: 6, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.oneof(chatUser, chatSystem) },
    ),
  )
  .chain(([calls, content, result, between]) =>
    orders(calls).map((answered) => [
      {
        role: 'assistant',
        content,
        tool_calls: calls.map(({ id: callId, ...called }) => ({
          id: callId,
          type: 'function',
          function: called,
        })),
      },
      ...between,
      ...answered.map((tool_call_id) => ({ role: 'tool', tool_call_id, content: result })),
    ]),
  )
const chatFunction: Segment = fc.tuple(name, argumentsText, text).map(([called, input, result]) => [
  { role: 'assistant', content: null, function_call: { name: called, arguments: input } },
  { role: 'function', name: called, content: result },
])

function talk(parts: readonly Segment[], user: Segment): fc.Arbitrary<object[]> {
  const end = mostly(user, fc.constant<object[]>([]))
  return fc
    .tuple(fc.array(fc.oneof(...parts), { maxLength: 8 }), end)
    .map(([middle, last]) => [...middle.flat(), ...last])
    .filter((messages) => messages.length > 0)
}

const sampling = {
  temperature: fc.double({ min: 0, max: 2, noNaN: true }),
  top_p: fc.double({ min: 0, max: 1, noNaN: true }),
  parallel_tool_calls: fc.boolean(),
  user: text,
  stream: fc.boolean(),
  prompt_cache_options: fc.constantFrom({ mode: 'explicit' }, { mode: 'implicit' }),
  thinking: fc.constantFrom(
    { type: 'adaptive' },
    { type: 'enabled', budget_tokens: 5_000 },
    { type: 'disabled' },
  ),
}
const tokens = fc.integer({ min: 1, max: 300_000 })
const effort = fc.constantFrom('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')

const functionTool = fc.record({
  name,
  description: optional(text),
  parameters: optional(randomParameters),
  strict: optional(fc.boolean()),
})
const functions = fc.uniqueArray(functionTool, { maxLength: 3, selector: (tool) => tool.name })

export const chatRequest = fc
  .tuple(
    talk([chatUser, chatSystem, chatSaid, chatWorked, chatFunction], chatUser),
    fc.record(
      {
        ...sampling,
        max_tokens: tokens,
        max_completion_tokens: tokens,
        stop: fc.oneof(text, fc.array(text, { maxLength: 4 })),
        reasoning_effort: effort,
        tools: functions.map((all) => all.map((one) => ({ type: 'function', function: one }))),
        tool_choice: mostly(
          fc.constantFrom<unknown>('none', 'auto', 'required'),
          name.map((one) => ({ type: 'function', function: { name: one } })),
          6,
        ),
        response_format: fc.oneof(
          fc.constantFrom({ type: 'text' }, { type: 'json_object' }),
          randomFormat.map((schema) => ({ type: 'json_schema', json_schema: { name: 'x', schema } })),
        ),
        web_search_options: fc.constantFrom({}, { user_location: { approximate: { city: 'Paris' } } }),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([messages, options]) => ({ messages, ...options }))

// Responses

const responsesPart = fc.oneof(
  marked({ type: fc.constantFrom('input_text', 'text'), text }),
  image.map((image_url) => ({ type: 'input_image', image_url, detail: 'auto' })),
  file.map((one) => ({ type: 'input_file', ...one })),
  fc.constant({ type: 'input_file', file_url: 'https://x.test/a.pdf' }),
)
const responsesContent = fc.oneof(text, fc.array(responsesPart, { maxLength: 4 }))
const inputTexts = fc.oneof(
  text,
  fc.array(fc.record({ type: fc.constant('input_text'), text }), { maxLength: 3 }),
)
const itemUser: Segment = responsesContent.map((content) => [{ role: 'user', content }])
const itemSystem: Segment = fc
  .tuple(fc.constantFrom('system', 'developer'), inputTexts)
  .map(([role, content]) => [{ type: 'message', role, content }])
const itemSaid: Segment = fc.tuple(text, fc.boolean()).map(([said, refuses]) => [
  {
    type: 'message',
    id: 'msg_1',
    status: 'completed',
    role: 'assistant',
    content: [
      refuses ? { type: 'refusal', refusal: said } : { type: 'output_text', text: said, annotations: [] },
    ],
  },
])
const OWN = packReasoning({ type: 'thinking', thinking: 'hm', signature: 'sig' })
const REDACTED = packReasoning({ type: 'redacted_thinking', data: 'AAAA' })
const itemThought: Segment = fc
  .constantFrom(OWN, REDACTED, 'gAAAAfromElsewhere', null)
  .map((encrypted_content) => [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content }])
const itemWorked: Segment = fc
  .tuple(
    fc.array(fc.record({ id, name, arguments: anyArguments }), { minLength: 1, maxLength: 3 }),
    responsesContent,
    fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.oneof(itemUser, itemSystem, itemSaid, itemThought) },
    ),
  )
  .chain(([calls, output, between]) =>
    orders(calls).map((answered) => [
      ...calls.map(({ id: call_id, ...called }) => ({ type: 'function_call', call_id, ...called })),
      ...between,
      ...answered.map((call_id) => ({ type: 'function_call_output', call_id, output })),
    ]),
  )
const shell = { commands: ['ls'], timeout_ms: null, max_output_length: null }
/** Items of tools that Claude has not, with their answers where there are any. */
const OTHERS: object[][] = [
  [{ type: 'item_reference', id: 'x' }],
  [{ type: 'file_search_call', id: 'x', queries: ['q'], status: 'completed' }],
  [{ type: 'web_search_call', id: 'x', status: 'completed', action: { type: 'search', query: 'q' } }],
  [{ type: 'computer_call', id: 'x', call_id: 'c9', pending_safety_checks: [], status: 'completed' }],
  [{ type: 'computer_call_output', call_id: 'c9', output: { type: 'computer_screenshot', image_url: 'x' } }],
  [{ type: 'image_generation_call', id: 'x', result: 'AAAA', status: 'completed' }],
  [
    {
      type: 'code_interpreter_call',
      id: 'x',
      code: '1',
      container_id: 'c',
      outputs: [],
      status: 'completed',
    },
  ],
  [
    {
      type: 'local_shell_call',
      id: 'x',
      call_id: 'c9',
      action: { type: 'exec', command: ['ls'], env: {} },
      status: 'completed',
    },
    { type: 'local_shell_call_output', id: 'c9', output: '{"output":"a"}' },
  ],
  [
    { type: 'shell_call', call_id: 'c9', action: shell },
    {
      type: 'shell_call_output',
      call_id: 'c9',
      output: [{ stdout: 'a', stderr: '', outcome: { type: 'exit', exit_code: 0 } }],
    },
  ],
  [
    {
      type: 'apply_patch_call',
      call_id: 'c9',
      operation: { type: 'delete_file', path: 'a' },
      status: 'completed',
    },
    { type: 'apply_patch_call_output', call_id: 'c9', status: 'completed', output: 'ok' },
  ],
  [
    { type: 'custom_tool_call', call_id: 'c9', name: 'apply_patch', input: '*** Begin' },
    { type: 'custom_tool_call_output', call_id: 'c9', output: 'ok' },
  ],
  [{ type: 'custom_tool_call', call_id: 'c9', name: 'apply_patch', input: '' }],
  [{ type: 'mcp_list_tools', id: 'x', server_label: 's', tools: [] }],
  [{ type: 'mcp_approval_request', id: 'x', arguments: '{}', name: 'n', server_label: 's' }],
  [{ type: 'mcp_approval_response', approval_request_id: 'x', approve: true }],
  [{ type: 'mcp_call', id: 'x', arguments: '{}', name: 'n', server_label: 's', output: 'ok' }],
  [
    {
      type: 'tool_search_call',
      call_id: 'c9',
      arguments: { query: 'q' },
      execution: 'client',
      status: 'completed',
    },
    { type: 'tool_search_output', call_id: 'c9', execution: 'client', status: 'completed', tools: [] },
  ],
  [
    {
      type: 'additional_tools',
      role: 'developer',
      tools: [{ type: 'function', name: 'later', parameters: {} }],
    },
  ],
  [{ type: 'configuration_update', id: 'x' }],
  [{ type: 'compaction', encrypted_content: 'gAAAA' }],
  [{ type: 'compaction_trigger' }],
  [{ type: 'program', id: 'x', call_id: 'c9', code: '1', fingerprint: 'f' }],
  [{ type: 'program_output', id: 'x', call_id: 'c9', result: 'ok', status: 'completed' }],
]
const itemOther: Segment = fc.constantFrom(...OTHERS)

const TOOLS: object[] = [
  { type: 'web_search', search_context_size: 'low', filters: { allowed_domains: ['x.test'] } },
  { type: 'web_search_preview' },
  { type: 'custom', name: 'apply_patch', description: 'Patches.', format: { type: 'text' } },
  { type: 'local_shell' },
  { type: 'shell' },
  { type: 'apply_patch' },
  { type: 'image_generation' },
  { type: 'file_search', vector_store_ids: ['v'] },
  { type: 'code_interpreter', container: { type: 'auto' } },
  { type: 'computer' },
  { type: 'mcp', server_label: 's', server_url: 'https://x.test' },
  { type: 'tool_search' },
  { type: 'programmatic_tool_calling' },
  {
    type: 'namespace',
    name: 'ns',
    description: 'd',
    tools: [{ type: 'function', name: 'f', parameters: {} }],
  },
]
const responsesTools = fc
  .tuple(
    functions,
    mostly(
      fc.constant<object[]>([]),
      fc.constantFrom(...TOOLS).map((tool) => [tool]),
      6,
    ),
  )
  .map(([all, other]) => [...all.map((one) => ({ type: 'function', ...one })), ...other])

export const responsesRequest = fc
  .tuple(
    fc.oneof(
      { weight: 1, arbitrary: text },
      {
        weight: 12,
        arbitrary: talk(
          [itemUser, itemSystem, itemSaid, itemThought, mostly(itemWorked, itemOther, 8)],
          itemUser,
        ),
      },
    ),
    fc.record(
      {
        ...sampling,
        instructions: text,
        max_output_tokens: tokens,
        reasoning: effort.map((level) => ({ effort: level })),
        tools: responsesTools,
        tool_choice: mostly(
          fc.constantFrom<unknown>('none', 'auto', 'required'),
          name.map((one) => ({ type: 'function', name: one })),
          6,
        ),
        text: fc.oneof(
          fc.constantFrom({ format: { type: 'text' } }, { verbosity: 'low' }),
          randomFormat.map((schema) => ({ format: { type: 'json_schema', name: 'x', schema } })),
        ),
        store: fc.constant(false),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([input, options]) => ({ input, ...options }))
