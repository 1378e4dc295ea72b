/** The table of OpenAI's parameters in the reference: it names every one, and what it says of each is so. */
import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../core/errors.ts'
import { CHAT } from '../../../core/openai/parameters/chat.ts'
import type { Parameter } from '../../../core/openai/parameters/parameter.ts'
import { RESPONSES } from '../../../core/openai/parameters/responses.ts'
import { BROUGHT_BODY, CHAT_BODY, placeOf, RESPONSES_BODY } from '../../support/openai-bodies.ts'
import OF_SDK from '../../support/openai-parameters.json' with { type: 'json' }
import { chat, FOUR_SIX, OLD, refusal, responses } from '../../support/translation.ts'

type Body = Record<string, unknown>
interface Interface {
  name: 'chat' | 'responses'
  rows: readonly Parameter[]
  body: Body
  translate(body: object, model?: string): { text: string; warnings: string[] }
}
const INTERFACES: Interface[] = [
  { name: 'chat', rows: CHAT, body: CHAT_BODY, translate: chat },
  { name: 'responses', rows: RESPONSES, body: RESPONSES_BODY, translate: responses },
]

/** Values of parameters that are checked: anything else would be refused for what it is. */
const PROBES: Record<string, unknown> = {
  n: 2,
  logprobs: true,
  top_logprobs: 3,
  background: true,
  store: true,
  max_tool_calls: 3,
  'stream_options.include_obfuscation': true,
}

type Pair = [one: Body, other: Body, model?: string]
const f = { type: 'function', function: { name: 'f' } }
const g = { type: 'function', function: { name: 'g' } }
const two = { tools: [f, g] }
const allowed = (mode: string, tools: object[]): Body => {
  return { ...two, tool_choice: { type: 'allowed_tools', allowed_tools: { mode, tools } } }
}
const LONG = 'x'.repeat(5_000)
const LONG_CHAT = { ...two, messages: [{ role: 'user', content: LONG }] }
const flat = { type: 'function', name: 'f' }
const other = { type: 'function', name: 'g' }
const flatTwo = { tools: [flat, other] }
const ofNamespace = { tools: [{ type: 'namespace', name: 'ns', tools: [flat] }, flat] }
const flatAllowed = (mode: string, tools: object[]): Body => {
  return { ...flatTwo, tool_choice: { type: 'allowed_tools', mode, tools } }
}
const BOTH: Record<string, Pair> = {
  stream: [{}, { stream: true }],
  temperature: [{ temperature: 0.5 }, { temperature: 0.6 }, OLD],
  top_p: [{ top_p: 0.5 }, { top_p: 0.6 }, OLD],
  user: [{}, { user: 'ann' }],
  safety_identifier: [{}, { safety_identifier: 'ann' }],
  service_tier: [{}, { service_tier: 'fast' }],
  speed: [{}, { speed: 'fast' }],
  thinking: [{}, { thinking: { type: 'enabled', budget_tokens: 2_000 } }, OLD],
}
/** Two requests that differ in one parameter, for what cannot be shown in the one that has everything. */
const PAIRS: Record<Interface['name'], Record<string, Pair>> = {
  chat: {
    ...BOTH,
    parallel_tool_calls: [two, { ...two, parallel_tool_calls: false }],
    max_completion_tokens: [{}, { max_completion_tokens: 5 }],
    max_tokens: [{}, { max_tokens: 5 }],
    reasoning_effort: [{}, { reasoning_effort: 'low' }],
    stop: [{}, { stop: 'a' }],
    modalities: [{}, { modalities: ['audio'] }],
    'prompt_cache_options.mode': [LONG_CHAT, { ...LONG_CHAT, prompt_cache_options: { mode: 'explicit' } }],
    'tool_choice.type': [two, { ...two, tool_choice: f }, FOUR_SIX],
    'tool_choice.function.name': [{ ...two, tool_choice: f }, { ...two, tool_choice: g }, FOUR_SIX],
    'tool_choice.allowed_tools.mode': [allowed('auto', [f]), allowed('required', [f]), FOUR_SIX],
    'tool_choice.allowed_tools.tools': [allowed('auto', [f]), allowed('auto', [g])],
    'function_call.name': [
      { ...two, function_call: 'auto' },
      { ...two, function_call: { name: 'f' } },
      FOUR_SIX,
    ],
    'response_format.type': [{}, { response_format: { type: 'json_object' } }],
  },
  responses: {
    ...BOTH,
    parallel_tool_calls: [flatTwo, { ...flatTwo, parallel_tool_calls: false }],
    'prompt_cache_options.mode': [
      { ...flatTwo, input: LONG },
      { ...flatTwo, input: LONG, prompt_cache_options: { mode: 'explicit' } },
    ],
    'reasoning.effort': [{}, { reasoning: { effort: 'low' } }],
    'tool_choice.type': [flatTwo, { ...flatTwo, tool_choice: flat }, FOUR_SIX],
    'tool_choice.name': [{ ...flatTwo, tool_choice: flat }, { ...flatTwo, tool_choice: other }, FOUR_SIX],
    'tool_choice.namespace': [
      { ...ofNamespace, tool_choice: flat },
      { ...ofNamespace, tool_choice: { ...flat, namespace: 'ns' } },
      FOUR_SIX,
    ],
    'tool_choice.mode': [flatAllowed('auto', [flat]), flatAllowed('required', [flat]), FOUR_SIX],
    'tool_choice.tools': [flatAllowed('auto', [flat]), flatAllowed('auto', [other])],
    max_output_tokens: [{}, { max_output_tokens: 5 }],
    'text.format.type': [{}, { text: { format: { type: 'json_object' } } }],
  },
}
/** Another value in the request that has everything; that of a text is one with another letter. */
const OTHERS: Record<string, unknown> = {
  'tools[shell].environment': { type: 'container_auto' },
  'input[additional_tools|tool_search_output].tools[shell].environment': { type: 'container_auto' },
  'prompt_cache_options.mode': 'explicit',
  'messages[].role': 'user',
  'messages[].content[].image_url.url': 'https://x.test/b.png',
  'messages[].content[].file.file_data': 'JVBERi0x',
  'messages[].function_call.arguments': '{"b":2}',
  'messages[].tool_calls[].function.arguments': '{"a":"2"}',
}
/** Choices of tools that nobody offers here. */
const NO_CHOICE: Record<string, Body> = {
  'tool_choice.custom': { tool_choice: { type: 'custom', custom: { name: 'c' } } },
  'tool_choice.server_label': { tool_choice: { type: 'mcp', server_label: 's' } },
}
/** Read where the backend is chosen or the answer is written: test/api/openai-parameters.test.ts, openai-answers.test.ts. */
const READ_LATER = new Set([
  'input[compaction_trigger]',
  'model',
  'prompt_cache_key',
  'include',
  'metadata',
  'stream_options.include_usage',
])
/** Ids, labels and types, which a row says or which only tell how to read their neighbours. */
const needsNothing = ({ path, about }: Parameter) =>
  /needs nothing|needs none of|^always$|^in encrypted_content$|all tools are there|in its own way/.test(
    about,
  ) ||
  (/\.(type|role|mode|execution|strict)$/.test(path) && !(path in OTHERS))

const kindOf = (path: string) => /\[([^\]]+)\]$/.exec(path)?.[1]
const isProvenBelow = ({ path }: Parameter, rows: readonly Parameter[]) =>
  rows.some((row) => row.path.startsWith(`${path}.`) || row.path.startsWith(`${path}[`))

describe.each(INTERFACES)('the table of $name', ({ name, rows, body, translate }) => {
  const bodyFor = (path: string): Body => (path.startsWith('input[additional_tools') ? BROUGHT_BODY : body)
  const withValue = (path: string, value: unknown, absent = false) => {
    // Not structuredClone, which keeps parts that several messages share.
    const changed: Body = JSON.parse(JSON.stringify(bodyFor(path)))
    const place = placeOf(changed, path, absent)
    if (!place) throw new Error(`the request has no place for ${path}`)
    if (value === undefined) delete place.holder[place.name]
    else place.holder[place.name] = value
    return { changed, at: place.at }
  }

  test('names every parameter that the SDK knows', () => {
    const named = new Map(rows.flatMap((row) => spread(row.path).map((path) => [path, row] as const)))
    const isTold = (path: string) => {
      for (let at = path; at !== ''; at = at.replace(/(^|\.)\w+$|\[[^\]]*\]$/, '')) {
        const row = named.get(at)
        // What is below a row without rows of its own shares its fate.
        if (row) return at === path || row.fate !== 'carried' || !isProvenBelow(row, rows)
      }
      return false
    }
    expect(OF_SDK[name].filter((path) => !isTold(path))).toEqual([])
    expect(OF_SDK[name].length).toBeGreaterThan(100)
  })

  test('names each parameter once', () => {
    const paths = rows.flatMap(({ path }) => spread(path))
    expect(paths.filter((path, i) => paths.indexOf(path) !== i)).toEqual([])
  })

  test('is about a request of which nothing is warned', () => {
    expect(translate(body).warnings).toEqual([])
    expect(responses(BROUGHT_BODY).warnings).toEqual([])
  })

  const lost = rows.filter(({ fate }) => fate !== 'carried')
  test.each(lost.filter(({ path }) => !kindOf(path)))('$path is $fate', ({ path, fate, idle }) => {
    const none = NO_CHOICE[path]
    if (none) return expect(refusal(() => translate(none)).param).toMatch(/^tool_choice/)
    const { changed, at } = withValue(path, PROBES[path] ?? 'probe', true)
    if (fate === 'refused') expect(refusal(() => translate(changed)).param).toBe(at)
    else expect(translate(changed).warnings.join()).toContain(at)
    for (const value of idle) expect(translate(withValue(path, value).changed).warnings).toEqual([])
  })

  test.each(lost.filter(({ path }) => kindOf(path)))('$path is $fate', ({ path, fate }) => {
    const list = path.replace(/\[[^\]]*\]$/, '')
    const { changed, at } = withValue(list, [{ type: kindOf(path), id: 'x', call_id: 'x' }])
    const before = placeOf(bodyFor(path), list)?.holder[list.split('.').at(-1) ?? '']
    const place = placeOf(changed, list)
    if (place && Array.isArray(before))
      place.holder[place.name] = [...before, { type: kindOf(path), id: 'x' }]
    const last = `${at}[${Array.isArray(before) ? before.length : 0}]`
    if (fate === 'refused') expect(refusal(() => translate(changed)).param).toMatch(last)
    else expect(translate(changed).warnings.join()).toContain(last)
  })

  const kept = rows.filter(
    (row) => row.fate === 'carried' && !isProvenBelow(row, rows) && !READ_LATER.has(row.path),
  )
  test.each(kept.filter((row) => PAIRS[name][row.path] || !needsNothing(row)))(
    '$path is carried out',
    ({ path }) => {
      const pair = PAIRS[name][path]
      if (pair) {
        const [one, another, model] = pair
        return expect(outcome(another, model)).not.toBe(outcome(one, model))
      }
      const kind = kindOf(path)
      if (kind) return expect(isThere(path, kind)).toBe(true)
      const place = placeOf(bodyFor(path), path)
      const value = place?.holder[place.name]
      const another =
        path in OTHERS ? OTHERS[path] : typeof value === 'object' ? undefined : `${value ?? ''}x`
      expect(outcome(withValue(path, another).changed)).not.toBe(outcome(bodyFor(path)))
    },
  )

  /** What is sent, or the parameter that is refused for its value, so that it was read. */
  const outcome = (asked: Body, model?: string) => {
    try {
      return translate(asked, model).text
    } catch (cause) {
      if (cause instanceof Refusal) return cause.message
      throw cause
    }
  }
  /** Whether the request that has everything has an element of this kind. */
  const isThere = (path: string, kinds: string) => {
    const place = placeOf(bodyFor(path), path.replace(/\[[^\]]*\]$/, ''))
    const all = place?.holder[place.name]
    return Array.isArray(all) && all.some(({ type }) => kinds.split('|').includes(type))
  }

  test.each(kept.filter((row) => !PAIRS[name][row.path] && needsNothing(row)))(
    '$path needs nothing, and is not warned of',
    ({ path }) => {
      expect(placeOf(bodyFor(path), path)).toBeDefined()
    },
  )
})

/** `tools[a|b].c` as `tools[a].c` and `tools[b].c`. */
function spread(path: string): string[] {
  return path.split(/(\[[^\]]*\])/).reduce<string[]>(
    (starts, piece) => {
      const kinds = /^\[(.*)\]$/.exec(piece)?.[1]
      const ends = kinds === undefined ? [piece] : kinds.split('|').map((kind) => `[${kind}]`)
      return starts.flatMap((start) => ends.map((end) => start + end))
    },
    [''],
  )
}
