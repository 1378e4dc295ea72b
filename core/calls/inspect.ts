/** What the gateway needs to know of a Messages request, read from its bytes. The rest is the upstream's business. */
import { Refusal } from '../errors.ts'
import { MOST_MEMBERS } from '../json/bounds.ts'
import { parsedJson } from '../json/parse.ts'
import { createScan, type Member, type Span, wantedKeys, writing } from '../json/scan.ts'
import { LONGEST_MODEL_NAME, modelNameProblem } from '../models/name.ts'
import { atOnce } from '../steps.ts'
import { createContentWatch } from './content-watch.ts'
import { addingNamed, type Named, nothingNamed, positive } from './named.ts'

export interface Inspected {
  model: string
  /** Every top-level `model` value: more than one only if they are equal. */
  modelSpans: Span[]
  stream: boolean
  /**
   * The most output tokens that any part of the request asks for. Undefined: as many as the model gives, which is also
   * how a max_tokens counts that is missing, repeated or no positive integer.
   */
  maxTokens: number | undefined
  named: Named
  /** Beta features that the body asks for, beside the header anthropic-beta; undefined for what is no name. */
  betas: { beta: string | undefined; path: string }[]
  /** The value of `metadata` as it was written, and where that of `messages` is: looked into only when it is needed. */
  metadata: string | undefined
  /** The same of `tags`. */
  tags: string | undefined
  messages: Span | undefined
}

/** Brackets that may be open at once. Nothing here needs a stack for them, but what reads the body after us may. */
const DEEPEST = 10_100
const LONGEST_BETAS = 16 * 1024
/** The most bytes to keep of each value that is looked at. */
const WANTED = wantedKeys({
  // As JSON escapes each character may take six bytes.
  model: 6 * LONGEST_MODEL_NAME + 2,
  stream: 16,
  max_tokens: 32,
  speed: 32,
  inference_geo: 32,
  metadata: 16 * 1024,
  tags: 4 * 1024,
  betas: LONGEST_BETAS,
  // As Bedrock and Vertex name it.
  anthropic_beta: LONGEST_BETAS,
  messages: 0,
  system: 0,
  tools: 0,
  fallbacks: 0,
  fallback_model: 0,
  compaction: 0,
  context_management: 0,
  container: 0,
  thread: 0,
  diagnostics: 0,
  mcp_servers: 0,
  cache_control: 0,
  output_config: 0,
  output_format: 0,
})
/** Members that are always looked into, because they are short. */
const SHORT_MEMBERS = new Set([
  'tools',
  'fallbacks',
  'fallback_model',
  'compaction',
  'context_management',
  'container',
  'thread',
  'diagnostics',
  'mcp_servers',
  'cache_control',
  'output_config',
])
/** A repeated one is refused, because we would check one object and the upstream would use the other. */
const ONCE = new Set(['container', 'thread'])
/**
 * Looks at the top level of `body` and at the few nested members that matter, in time linear in its bytes and without
 * parsing it: a body that is broken deeper down passes, and the upstream answers for it. Of a repeated key the last
 * counts, as for JSON.parse, but of `model` all must be equal, since nobody knows which one the upstream takes.
 * Throws a Refusal body_invalid.
 */
export function inspect(body: Uint8Array): Inspected {
  return atOnce(inspecting(body))
}

/** The same in steps. */
export function* inspecting(body: Uint8Array): Generator<void, Inspected> {
  const found = new Map<string, Member>()
  const models: Member[] = []
  const limits: Member[] = []
  const nested: Member[] = []
  const betas: Member[] = []
  const content = createContentWatch()
  const onMember = (member: Member) => {
    const { key } = member
    if (ONCE.has(key) && found.has(key)) throw invalid(`${key}: it is given twice.`)
    found.set(key, member)
    if (key === 'model') models.push(member)
    else if (key === 'max_tokens') limits.push(member)
    else if (key === 'betas' || key === 'anthropic_beta') betas.push(member)
    else if (SHORT_MEMBERS.has(key)) nested.push(member)
    else if (key === 'output_format') nested.push(member)
    else if (key === 'messages' || key === 'system') if (content.sawSince(member)) nested.push(member)
  }
  const scan = createScan(WANTED, onMember, {
    deepest: DEEPEST,
    mostMembers: MOST_MEMBERS,
    onNested: content.look,
  })
  yield* writing(scan, body)
  if (scan.state() === 'too deep') throw invalid('The body is nested too deep.')
  if (scan.state() === 'too many') throw invalid(`The body has more than ${MOST_MEMBERS} members.`)
  if (scan.state() !== 'complete') throw invalid('The body is not a JSON object.')
  const named = nothingNamed()
  for (const member of nested) yield* addingNamed(named, body, member)
  if (parsedJson(found.get('speed')?.text) === 'fast') named.fast = true
  if (parsedJson(found.get('inference_geo')?.text) === 'us') named.geoUs = true
  if (content.sawLongCache()) named.longCache = true
  const stream = found.get('stream')
  // Some clients write null for what they leave out.
  const streamed = stream === undefined ? null : parsedJson(stream.text)
  if (streamed !== null && typeof streamed !== 'boolean') throw invalid('stream: true or false is expected.')
  return {
    model: modelOf(models),
    modelSpans: models.map(({ start, end }) => ({ start, end })),
    stream: streamed ?? false,
    maxTokens: maxTokensOf(limits, named.maxTokens),
    named,
    betas: betas.flatMap(betasIn),
    metadata: found.get('metadata')?.text,
    tags: found.get('tags')?.text,
    messages: found.get('messages'),
  }
}

/** The one name that all of these `model` members have. Throws a Refusal body_invalid. */
export function modelOf(models: readonly Member[]): string {
  const [name, ...others] = models.map(({ text }) => parsedJson(text))
  if (models.some(({ text }) => text === undefined)) throw invalid('model: this is too long for a name.')
  if (others.some((other) => other !== name)) throw invalid('model: it is given twice with different values.')
  const problem = modelNameProblem(name)
  if (problem !== undefined) throw invalid(`model: ${problem}`)
  return String(name)
}

function betasIn({ key, text }: Member): Inspected['betas'] {
  const value = parsedJson(text)
  const list: unknown[] = Array.isArray(value) ? value : value === null ? [] : [undefined]
  return list.map((beta, i) => ({ beta: typeof beta === 'string' ? beta : undefined, path: `${key}.${i}` }))
}

function maxTokensOf(
  limits: readonly Member[],
  ofFallbacks: readonly (number | undefined)[],
): number | undefined {
  if (limits.length !== 1) return undefined
  let most = 0
  for (const limit of [positive(parsedJson(limits[0]?.text)), ...ofFallbacks]) {
    if (limit === undefined) return undefined
    most = Math.max(most, limit)
  }
  return most
}

function invalid(problem: string): Refusal {
  return new Refusal('body_invalid', problem)
}
