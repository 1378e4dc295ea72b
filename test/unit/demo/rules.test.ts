/** The rules by which the simulated Claude refuses, each broken once. */
import { describe, expect, test } from 'vitest'
import { RULES, violation } from '../../../adapters/demo/simulated-claude/rules/index.ts'
import { Request } from '../../../adapters/demo/simulated-claude/rules/rule.ts'
import { shippedAbilities } from '../../../adapters/shared/tables.ts'
import { abilitiesOf } from '../../../core/models/abilities.ts'

const TABLE = shippedAbilities()
const broken = (body: object, model = 'claude-opus-5-5') =>
  violation({ model, max_tokens: 100, messages: [user('hi')], ...body }, abilitiesOf(TABLE, model))

const user = (...content: unknown[]) => ({ role: 'user', content: blocks(content) })
const assistant = (...content: unknown[]) => ({ role: 'assistant', content: blocks(content) })
const system = (...content: unknown[]) => ({ role: 'system', content: blocks(content) })
const blocks = (content: unknown[]) =>
  content.map((one) => (typeof one === 'string' ? { type: 'text', text: one } : one))
const call = (id: string, more: object = {}) => ({ type: 'tool_use', id, name: 'f', input: {}, ...more })
const result = (id: string, more: object = {}) => ({ type: 'tool_result', tool_use_id: id, ...more })
const kept = (ttl?: '5m' | '1h') => ({ cache_control: { type: 'ephemeral', ...(ttl ? { ttl } : {}) } })
const marked = (ttl?: '5m' | '1h') => ({ type: 'text', text: 'x', ...kept(ttl) })
const tool = (more: object = {}) => ({ name: 'f', input_schema: { type: 'object' }, ...more })
const strict = (properties: object, required: string[] = Object.keys(properties)) =>
  tool({ strict: true, input_schema: { type: 'object', properties, required, additionalProperties: false } })
const schema = (one: object) => ({ output_config: { format: { type: 'json_schema', schema: one } } })
const image = (source: object) => ({ type: 'image', source })
const png = (data: string) => image({ type: 'base64', media_type: 'image/png', data })
const document = (source: object, more: object = {}) => ({ type: 'document', source, ...more })
const OLD = 'claude-opus-4-5'

/** What Claude says, and what breaks the rule. */
const BROKEN: [said: RegExp, body: object, model?: string][] = [
  [/^messages\.0\.role: Unexpected role "tool"/, { messages: [{ role: 'tool', content: 'x' }] }],
  [/^messages\.0: use the top-level 'system'/, { messages: [system('be brief'), user('hi')] }],
  [/must use the "user" role/, { messages: [assistant('hello'), user('hi')] }],
  [/'system' is not supported on this model/, { messages: [user('a'), system('s')] }, 'claude-sonnet-5'],
  [/^messages\.2: a system message must/, { messages: [user('a'), assistant('b'), system('s'), user('c')] }],
  [/^messages\.1: a system message must/, { messages: [user('a'), system('s'), user('c')] }],
  [/^messages\.1: all messages must have/, { messages: [user('a'), assistant(), user('b')] }],
  [/does not support assistant message prefill/, { messages: [user('a'), assistant('b')] }],
  [/cannot end with trailing whitespace/, { messages: [user('a'), assistant('b ')] }, OLD],
  [
    /ids must be unique/,
    {
      messages: [user('a'), assistant(call('1')), user(result('1')), assistant(call('1')), user(result('1'))],
    },
  ],
  [/without `tool_result` blocks/, { messages: [user('a'), assistant(call('1')), user('b')] }],
  [/a system message must/, { messages: [user('a'), assistant(call('1')), system('s'), user(result('1'))] }],
  [/unexpected `tool_use_id`/, { messages: [user(result('1'))] }],
  [
    /unexpected `tool_use_id`/,
    { messages: [user('a'), assistant(call('1')), user(result('1'), result('2'))] },
  ],
  [/single result/, { messages: [user('a'), assistant(call('1')), user(result('1'), result('1'))] }],
  [
    /without `tool_result` blocks/,
    { messages: [user('a'), assistant(call('1'), 'and now'), user(result('1'))] },
  ],
  [/must come first/, { messages: [user('a'), assistant(call('1')), user('b', result('1'))] }],
  [/^messages: text content blocks must be non-empty/, { messages: [user('')] }],
  [/^messages: text content .* non-whitespace/, { messages: [user(' \n')] }],
  [/^messages: text content .* non-whitespace/, { messages: [{ role: 'user', content: ' ' }] }],
  [
    /^messages: text content .* non-whitespace/,
    {
      messages: [
        user('a'),
        assistant(call('1')),
        user(result('1', { content: [{ type: 'text', text: ' ' }] })),
      ],
    },
  ],
  [/^system: text content/, { system: ' ' }],
  [/no low surrogate/, { messages: [user('half \ud83d')] }],
  [/^system\.0\.type/, { system: [png('AAAA')] }],
  [/a system message has no image/, { messages: [user('a'), system(png('AAAA'))] }],
  [
    /not permitted in messages of the assistant/,
    { messages: [user('a'), assistant(png('AAAA')), user('b')] },
  ],
  [/not permitted in messages of the user/, { messages: [user(call('1'))] }],
  [
    /base64\.media_type/,
    { messages: [user(image({ type: 'base64', media_type: 'image/jpg', data: 'AAAA' }))] },
  ],
  [/does not match the provided media type/, { messages: [user(png('/9j/AAAA'))] }],
  [/invalid base64/, { messages: [user(png('AA\nAA'))] }],
  [/Only HTTPS/, { messages: [user(image({ type: 'url', url: 'http://x.test/a.png' }))] }],
  [/Input tag should be one of/, { messages: [user(image({ type: 'somewhere' }))] }],
  [
    /'application\/pdf'/,
    { messages: [user(document({ type: 'base64', media_type: 'text/csv', data: 'AAAA' }))] },
  ],
  [
    /the document is empty/,
    { messages: [user(document({ type: 'text', media_type: 'text/plain', data: '' }))] },
  ],
  [
    /document\.title/,
    { messages: [user(document({ type: 'url', url: 'https://x.test/a.pdf' }, { title: 'x'.repeat(501) }))] },
  ],
  [/tool_use\.id/, { messages: [user('a'), assistant(call('a.b')), user(result('a.b'))] }],
  [/tool_use\.name/, { messages: [user('a'), assistant(call('1', { name: 'a b' })), user(result('1'))] }],
  [/tool_use\.input/, { messages: [user('a'), assistant(call('1', { input: '{}' })), user(result('1'))] }],
  [
    /thinking\.signature/,
    { messages: [user('a'), assistant({ type: 'thinking', thinking: 'hm', signature: '' }, 'b'), user('c')] },
  ],
  [
    /redacted_thinking\.data/,
    { messages: [user('a'), assistant({ type: 'redacted_thinking' }, 'b'), user('c')] },
  ],
  [
    /cannot be `thinking`/,
    { messages: [user('a'), assistant({ type: 'thinking', thinking: 'hm', signature: 's' }), user('c')] },
  ],
  [/names must be unique/, { tools: [tool(), tool()] }],
  [/custom\.name/, { tools: [tool({ name: 'a.b' })] }],
  [/input_schema\.type/, { tools: [tool({ input_schema: { type: 'array' } })] }],
  [/at the top level/, { tools: [tool({ input_schema: { type: 'object', anyOf: [] } })] }],
  [/Property keys/, { tools: [tool({ input_schema: { type: 'object', properties: { 'a b': {} } } })] }],
  [/only be specified while providing tools/, { tool_choice: { type: 'auto' } }],
  [/not found in provided tools/, { tools: [tool()], tool_choice: { type: 'tool', name: 'g' } }, OLD],
  [/"any" is not supported/, { tools: [tool()], tool_choice: { type: 'any' } }],
  [
    /Thinking may not be enabled/,
    { tools: [tool()], tool_choice: { type: 'any' }, thinking: { type: 'adaptive' } },
    'claude-opus-4-6',
  ],
  [/not supported on this model/, schema({ type: 'string' }), 'claude-haiku-3-5'],
  [/'oneOf' is not supported/, schema({ oneOf: [{ type: 'string' }] })],
  [/'minimum' is not supported/, schema({ type: 'integer', minimum: 1 })],
  [/must be explicitly set to false/, schema({ type: 'object', properties: {} })],
  [/external \$ref/, schema({ $ref: 'https://x.test/s' })],
  [/Circular reference/, schema({ $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/a' } } })],
  [/is not defined/, schema({ $ref: '#/$defs/b' })],
  [/enum has objects/, schema({ enum: [{}] })],
  [/format 'color'/, schema({ type: 'string', format: 'color' })],
  [/minItems/, schema({ type: 'array', minItems: 2 })],
  [/Schema type is missing/, schema({ description: 'anything' })],
  [/'minLength' is not supported/, { tools: [strict({ a: { type: 'string', minLength: 1 } })] }],
  [
    /too many optional/,
    {
      tools: [
        strict(Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`p${i}`, { type: 'string' }])), []),
      ],
    },
  ],
  [
    /union types/,
    {
      tools: [
        strict(
          Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`p${i}`, { type: ['string', 'null'] }])),
        ),
      ],
    },
  ],
  [
    /at most 20 strict tools/,
    { tools: Array.from({ length: 21 }, (_, i) => ({ ...strict({}), name: `t${i}` })) },
  ],
  [/^max_tokens: 200000 > 128000/, { max_tokens: 200_000 }],
  [/`temperature` is deprecated/, { temperature: 0.5 }],
  [/cannot both be specified/, { temperature: 0.5, top_p: 0.5 }, OLD],
  [/range: 0\.\.1/, { temperature: 1.5 }, OLD],
  [/^thinking\.type: "disabled"/, { thinking: { type: 'disabled' } }],
  [/at least 1024/, { thinking: { type: 'enabled', budget_tokens: 10 } }, OLD],
  [/must be greater than/, { thinking: { type: 'enabled', budget_tokens: 2_000 } }, OLD],
  [
    /may only be set to 1/,
    { max_tokens: 5_000, thinking: { type: 'enabled', budget_tokens: 2_000 }, temperature: 0.2 },
    OLD,
  ],
  [
    /cannot be continued/,
    {
      max_tokens: 5_000,
      thinking: { type: 'enabled', budget_tokens: 2_000 },
      messages: [user('a'), assistant('b')],
    },
    OLD,
  ],
  [/effort level 'xhigh'/, { output_config: { effort: 'xhigh' } }, 'claude-opus-4-6'],
  [/^stop_sequences\.1/, { stop_sequences: ['a', ' '] }],
  [
    /prefilling is incompatible/,
    { ...schema({ type: 'string' }), messages: [user('a'), assistant('b')] },
    OLD,
  ],
  [/Found 5/, { messages: [user(marked(), marked(), marked(), marked(), marked())] }],
  [/Found 5/, { ...kept(), messages: [user(marked(), marked(), marked(), marked(), 'end')] }],
  [/must not come after/, { messages: [user(marked('5m'), marked('1h'))] }],
  [/must not come after/, { tools: [tool(kept())], messages: [user(marked('1h'))] }],
  [/matching TTLs/, { ...kept('5m'), messages: [user(marked('1h'))] }],
  [
    /Extra inputs are not permitted/,
    {
      messages: [
        user('a'),
        assistant({ type: 'thinking', thinking: 'hm', signature: 's', ...kept() }, 'b'),
        user('c'),
      ],
    },
  ],
]

describe("the simulated Claude refuses by Claude's rules", () => {
  test.each(BROKEN)('%s', (said, body, model) => {
    expect(broken(body, model)).toMatch(said)
  })

  test('every rule is broken by one of these, and has a source', () => {
    const said = BROKEN.map(([, body, model]) => broken(body, model))
    const request = { model: 'claude-opus-5-5', max_tokens: 100, messages: [user('hi')] }
    const idle = RULES.filter(
      ({ broken: breaks }) =>
        !BROKEN.some(([, body, model = 'claude-opus-5-5'], i) => {
          const problem = breaks(Request.parse({ ...request, model, ...body }), abilitiesOf(TABLE, model))
          return problem !== undefined && problem === said[i]
        }),
    )
    expect(idle.map(({ rule }) => rule)).toEqual([])
    expect(RULES.filter(({ source }) => source.length < 20)).toEqual([])
  })

  test.each<[string, object, string?]>([
    [
      'system messages in place',
      { messages: [user('a'), system('s'), assistant('b'), user('c'), system('s')] },
    ],
    [
      'a turn whose results come first',
      { messages: [user('a'), assistant('b', call('1')), user(result('1'), 'c')] },
    ],
    [
      'results in two messages',
      { messages: [user('a'), assistant(call('1'), call('2')), user(result('1')), user(result('2'))] },
    ],
    [
      'four marks, the longest first',
      { system: [marked('1h')], messages: [user(marked('1h'), marked(), marked())] },
    ],
    [
      'three marks and an automatic one',
      { ...kept(), messages: [user(marked(), marked(), marked(), 'end')] },
    ],
    [
      'an automatic mark on a block that is marked alike',
      { ...kept(), messages: [user(marked(), marked(), marked(), marked())] },
    ],
    ['a prefill where it is taken', { messages: [user('a'), assistant('b')] }, OLD],
    ['the name of the dialect, which the AI SDK says', schema({ $schema: 'x', $id: 'y', type: 'string' })],
    ['references', schema({ $ref: '#/$defs/a', $defs: { a: { type: 'string' } } })],
    [
      'types that nobody here knows',
      {
        messages: [user({ type: 'container_upload', file_id: 'x' })],
        tools: [{ type: 'bash_20250124', name: 'bash' }],
      },
    ],
  ])('takes %s', (_, body, model) => {
    expect(broken(body, model)).toBeUndefined()
  })
})
