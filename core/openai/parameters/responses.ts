/** What becomes of each parameter of responses. */
import { carried, carriedAs, type Parameter, refused, under, warned } from './parameter.ts'
import { MARK, SHARED } from './shared.ts'

const STATELESS = 'nothing is stored here: send the whole conversation, and store: false'
const ALONE = 'tools are called by the model alone'
const CALLS: readonly Parameter[] = [
  ...carried('type', 'call_id'),
  carriedAs('id', 'needs nothing'),
  carriedAs('status', 'needs nothing'),
  warned('async', 'calls are answered in order', false),
  warned('caller', ALONE),
]
const PARTS: readonly Parameter[] = [
  ...carried('type', 'text', 'refusal', 'image_url', 'file_data', 'file_url'),
  carriedAs('filename', 'as the title of the document'),
  refused('file_id', 'stored files are not known here; send the file'),
  warned('detail', 'Claude chooses the resolution', 'auto'),
  warned('annotations', 'citations of earlier answers are not told again'),
  warned('logprobs', 'Claude takes no probabilities'),
  ...MARK,
]
const OF_TOOLS: readonly Parameter[] = [
  ...carried('type', 'name', 'description'),
  warned('async', 'calls are answered in order', false),
  carriedAs('defer_loading', 'all tools are there at once'),
  warned('allowed_callers', ALONE),
]
const SEARCH = 'tools[web_search|web_search_2025_08_26|web_search_preview|web_search_preview_2025_03_11]'
const ELSEWHERE = 'it runs at OpenAI'
const offered = (kind: string, rows: readonly Parameter[]) => [
  carriedAs(`tools[${kind}]`, 'as a function at Claude'),
  ...under(`tools[${kind}]`, rows),
]
const item = (kind: string, about: string, rows: readonly Parameter[]) => [
  carriedAs(`input[${kind}]`, about),
  ...under(`input[${kind}]`, rows),
]

const BRINGS = 'input[additional_tools|tool_search_output]'

const ITEMS: readonly Parameter[] = [
  ...item('message', 'as a turn', [
    ...carried('type', 'role', 'content'),
    carriedAs('id', 'needs nothing'),
    carriedAs('status', 'needs nothing'),
    warned('phase', 'Claude has no phases'),
    ...under('content[]', PARTS),
  ]),
  ...item('function_call', 'as a call', [...CALLS, ...carried('name', 'namespace', 'arguments')]),
  ...item('custom_tool_call', 'as a call', [...CALLS, ...carried('name', 'namespace', 'input')]),
  ...item('function_call_output|custom_tool_call_output', 'as its result', [
    ...CALLS,
    carriedAs('name', 'needs nothing'),
    carriedAs('namespace', 'needs nothing'),
    ...carried('output'),
    ...under(
      'output[]',
      PARTS.filter(({ path }) => path !== 'refusal'),
    ),
  ]),
  ...item('reasoning', 'as thinking, if it came from here', [
    ...carried('type', 'encrypted_content'),
    carriedAs('id', 'needs nothing'),
    carriedAs('status', 'needs nothing'),
    carriedAs('summary', 'in encrypted_content'),
    carriedAs('content', 'in encrypted_content'),
  ]),
  carriedAs('input[local_shell_call|shell_call|apply_patch_call|tool_search_call]', 'as a call'),
  carriedAs('input[local_shell_call_output|shell_call_output|apply_patch_call_output]', 'as its result'),
  carriedAs('input[compaction]', 'if it came from here; else warned of'),
  carriedAs('input[compaction_trigger]', 'as the last item, by a compaction; else warned of'),
  refused('input[item_reference]', STATELESS),
  ...[
    'file_search_call',
    'computer_call',
    'computer_call_output',
    'web_search_call',
    'image_generation_call',
    'code_interpreter_call',
    'mcp_list_tools',
    'mcp_approval_request',
    'mcp_approval_response',
    'mcp_call',
    'configuration_update',
    'program',
    'program_output',
  ].map((kind) => warned(`input[${kind}]`, ELSEWHERE)),
]

const FUNCTION: readonly Parameter[] = [
  ...OF_TOOLS,
  ...carried('parameters'),
  carriedAs('strict', 'if Claude can keep a tool to the parameters'),
  warned('output_schema', 'Claude checks no results'),
]
const CUSTOM: readonly Parameter[] = [
  ...OF_TOOLS,
  carriedAs('format', 'a grammar is said in the description'),
  ...carried('format.type', 'format.syntax', 'format.definition'),
]
const TOOLS: readonly Parameter[] = [
  ...offered('function', FUNCTION),
  ...offered('custom', CUSTOM),
  ...offered('namespace', [
    ...carried('type', 'name', 'description', 'tools'),
    ...offered('function', FUNCTION),
    ...offered('custom', CUSTOM),
  ]),
  ...offered('local_shell', carried('type')),
  ...offered('apply_patch', [...carried('type'), warned('allowed_callers', ALONE)]),
  ...offered('shell', [
    ...carried('type'),
    carriedAs('environment', 'local; other places are warned of'),
    warned('allowed_callers', ALONE),
  ]),
  ...offered('tool_search', carried('type', 'description', 'parameters', 'execution')),
  carriedAs(SEARCH, 'where web search is switched on; else warned of'),
  ...under(SEARCH, [
    ...carried('type', 'user_location', 'filters', 'filters.allowed_domains', 'external_web_access'),
    warned('filters.blocked_domains', 'Claude takes allowed or blocked domains'),
    warned('search_context_size', 'Claude chooses it', 'medium'),
    warned('search_content_types', 'Claude searches for text'),
  ]),
  ...[
    'file_search',
    'computer',
    'computer_use_preview',
    'mcp',
    'code_interpreter',
    'programmatic_tool_calling',
    'image_generation',
  ].map((kind) => warned(`tools[${kind}]`, ELSEWHERE)),
]

export const RESPONSES: readonly Parameter[] = [
  ...SHARED,
  ...carried('input', 'instructions'),
  ...ITEMS,
  carriedAs('max_output_tokens', "at most the model's limit, at least what a thinking budget needs"),
  ...TOOLS,
  carriedAs(BRINGS, 'as tools'),
  ...under(BRINGS, [...carried('type', 'role', 'call_id', 'execution', 'tools'), ...TOOLS]),
  ...under(BRINGS, [carriedAs('id', 'needs nothing'), carriedAs('status', 'needs nothing')]),
  ...carried(
    'tool_choice.type',
    'tool_choice.name',
    'tool_choice.namespace',
    'tool_choice.mode',
    'tool_choice.tools',
  ),
  refused('tool_choice.server_label', ELSEWHERE),
  ...carried('text', 'text.format', 'text.format.type'),
  carriedAs('text.format.schema', 'bounds are said in words; other keywords are warned of'),
  carriedAs('text.format.description', "as the schema's"),
  carriedAs('text.format.name', 'a label that Claude needs none of'),
  carriedAs('text.format.strict', 'always'),
  warned('text.verbosity', 'Claude has no such setting', 'medium'),
  ...carried('reasoning'),
  carriedAs('reasoning.effort', 'as effort or a thinking budget, at the nearest level that the model has'),
  carriedAs('reasoning.summary', 'Claude summarises its thinking in its own way'),
  warned('reasoning.generate_summary', 'it is summary now'),
  warned('reasoning.context', 'Claude chooses what it remembers', 'auto'),
  warned('reasoning.mode', 'Claude has no such modes', 'standard'),
  carriedAs(
    'include',
    'reasoning.encrypted_content and web_search_call.action.sources; others are warned of or refused',
  ),
  carriedAs('metadata', 'repeated in the answer'),
  ...carried('stream_options'),
  refused('background', 'answers are given at once', false),
  refused('conversation', STATELESS),
  refused('previous_response_id', STATELESS),
  warned('store', 'nothing is stored: a conversation is sent whole', false),
  refused('prompt', 'templates are not stored here'),
  refused('max_tool_calls', 'Claude has no such limit'),
  warned('access_programs', 'they are of OpenAI'),
  warned('context_management', 'the conversation is not shortened here'),
  warned('image', 'Claude reads images as they are'),
  warned('prompt_cache_options.comparison_response_id', 'nothing is stored'),
  warned('prompt_cache_options.prewarm', 'every call is answered', false),
  warned('truncation', 'the conversation is not shortened here', 'disabled'),
]
