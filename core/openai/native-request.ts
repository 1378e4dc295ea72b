/**
 * What the gateway has to know of a request in OpenAI's interface that goes to its backend as it came: read from the
 * bytes, without parsing them. Only what access and limits need is checked; the rest is the backend's business.
 */
import { modelOf } from '../calls/inspect.ts'
import { DEFAULT_USES, type Named, type NamedModel, positive } from '../calls/named.ts'
import { Refusal } from '../errors.ts'
import { MOST_MEMBERS } from '../json/bounds.ts'
import { elementsOf } from '../json/elements.ts'
import { parsedJson } from '../json/parse.ts'
import { createScan, type Member, type Span, wantedKeys } from '../json/scan.ts'
import type { Splice } from '../json/splice.ts'
import { isOpener, isSpace, OPEN_BRACE, QUOTE } from '../json/tokens.ts'
import { type FoundObject, keysToFind, membersOf, scalarAt, walkObjects } from '../json/walk.ts'
import { LONGEST_MODEL_NAME } from '../models/name.ts'

export interface NativeRequest extends Pick<Named, 'serverTools' | 'mcpServers' | 'models'> {
  /** As the client named it, and every place where it did. */
  model: string
  modelSpans: Span[]
  stream: boolean
  /** The most output tokens of one answer; undefined: as many as the model gives. */
  maxTokens: number | undefined
  /** How many answers are asked for. */
  answers: number
  contentByReference: boolean
  promptCacheKey: string | undefined
  metadata: string | undefined
  /** `messages` or `input`. */
  messages: Span | undefined
  /** What makes a streamed chat tell its usage, where the client did not ask for that. */
  usageSplice: Splice | undefined
}

/** As for Claude's interface (core/calls/inspect.ts). */
const DEEPEST = 10_100
const MOST_NAMED = 1_000
const LONGEST_NUMBER = 32
const WANTED = wantedKeys({
  // As JSON escapes each character may take six bytes.
  model: 6 * LONGEST_MODEL_NAME + 2,
  stream: 16,
  background: 16,
  n: LONGEST_NUMBER,
  max_tokens: LONGEST_NUMBER,
  max_completion_tokens: LONGEST_NUMBER,
  max_output_tokens: LONGEST_NUMBER,
  stream_options: 0,
  prompt_cache_key: 4 * 1024,
  metadata: 16 * 1024,
  messages: 0,
  input: 0,
  tools: 0,
  web_search_options: 0,
  // What is stored at the backend.
  previous_response_id: 4 * 1024,
  conversation: 4 * 1024,
  prompt: 4 * 1024,
  // Models to fall back to, as relays take them.
  models: 0,
  fallbacks: 0,
})
const LIMITS = ['max_tokens', 'max_completion_tokens', 'max_output_tokens']
const STORED = ['previous_response_id', 'conversation', 'prompt']
const CONTENT = keysToFind(['url', 'image_url', 'file_url', 'file_id'], ['arguments', 'parameters', 'schema'])
const TOOL = keysToFind(['type', 'model', 'server_url'], ['parameters', 'function', 'schema', 'format'])
const MODEL = keysToFind(['model'], [])
const INCLUDE_USAGE = keysToFind(['include_usage'], [])
/** Tools whose calls the client answers; of every other type, the backend does. */
const CLIENT_TOOLS =
  /^(function|custom|namespace|tool_search|shell|local_shell|apply_patch|computer(_use)?(_preview)?(_\d+)?)$/

/** `chats`: chat completions rather than responses. Throws a Refusal body_invalid. */
export function inspectNative(body: Uint8Array, chats: boolean): NativeRequest {
  const members = membersIn(body)
  const last = (key: string) => members.findLast((member) => member.key === key)
  const value = (key: string) => parsedJson(last(key)?.text)
  const models = members.filter(({ key }) => key === 'model')
  const stream = value('stream') === true
  if (value('background') === true && !stream) {
    throw invalid('background: an answer that is fetched later cannot be metered; stream it.')
  }
  const messages = last(chats ? 'messages' : 'input')
  const cacheKey = value('prompt_cache_key')
  const request: NativeRequest = {
    model: modelOf(models),
    modelSpans: models.map(({ start, end }) => ({ start, end })),
    stream,
    maxTokens: maxTokensOf(members.filter(({ key }) => LIMITS.includes(key))),
    answers: Math.max(
      1,
      ...members.filter(({ key }) => key === 'n').map(({ text }) => positive(parsedJson(text)) ?? 1),
    ),
    contentByReference: members.some(({ key, text }) => STORED.includes(key) && text !== 'null'),
    promptCacheKey: typeof cacheKey === 'string' ? cacheKey : undefined,
    metadata: last('metadata')?.text,
    messages,
    usageSplice: chats && stream ? usageSpliceOf(body, last('stream_options')) : undefined,
    serverTools: [],
    mcpServers: [],
    models: [],
  }
  for (const member of members) addNamed(request, body, member)
  return request
}

function membersIn(body: Uint8Array): Member[] {
  const members: Member[] = []
  const scan = createScan(WANTED, (member) => members.push(member), {
    deepest: DEEPEST,
    mostMembers: MOST_MEMBERS,
  })
  scan.write(body)
  const state = scan.state()
  if (state === 'too deep') throw invalid('The body is nested too deep.')
  if (state === 'too many') throw invalid(`The body has more than ${MOST_MEMBERS} members.`)
  if (state !== 'complete') throw invalid('The body is not a JSON object.')
  return members
}

/** Undefined if none is given, or one that is no positive integer: the backend may take it for anything. */
function maxTokensOf(limits: readonly Member[]): number | undefined {
  const given = limits.map(({ text }) => parsedJson(text)).filter((limit) => limit !== null)
  const known = given.map(positive).filter((limit) => limit !== undefined)
  return given.length > 0 && known.length === given.length ? Math.max(...known) : undefined
}

/** Adds what one top-level member names: models, tools of the backend, content that is elsewhere. */
function addNamed(request: NativeRequest, body: Uint8Array, member: Member) {
  const { key, start } = member
  if (key === 'web_search_options' && isOpener(body[start] ?? 0)) addTool(request, key, key)
  else if (key === 'tools') walkObjects(body, member, key, TOOL, (tool) => addFound(request, tool))
  else if (key === 'messages' || key === 'input') {
    walkObjects(body, member, key, CONTENT, ({ members, scalar }) => {
      request.contentByReference ||= members.has('file_id') || members.has('file_url') || isAddress(scalar)
    })
  } else if (key === 'models' || key === 'fallbacks') {
    for (const span of body[start] === QUOTE ? [member] : elementsOf(body, member)) {
      const name = scalarAt(body, span)
      if (typeof name === 'string') addModel(request, { ...span, name, path: key })
    }
    walkObjects(body, member, key, MODEL, (object) => addFound(request, object))
  }
}

function isAddress(scalar: FoundObject['scalar']): boolean {
  return [scalar('url'), scalar('image_url')].some((url) => typeof url === 'string' && !/^data:/i.test(url))
}

function addFound(request: NativeRequest, { depth, members, repeated, scalar, path }: FoundObject) {
  // We would check one of them, and the backend might take the other.
  if (repeated !== undefined) throw invalid(`${path()}.${repeated}: it is given twice.`)
  const span = members.get('model')
  const name = scalar('model')
  if (span && typeof name === 'string') addModel(request, { ...span, name, path: `${path()}.model` })
  const type = scalar('type')
  if (depth !== 1 || typeof type !== 'string' || CLIENT_TOOLS.test(type)) return
  addTool(request, type, `${path()}.type`)
  if (type !== 'mcp') return
  const url = scalar('server_url')
  request.mcpServers.push({ url: typeof url === 'string' ? url : '', path: `${path()}.server_url` })
}

function addTool(request: NativeRequest, type: string, path: string) {
  if (request.serverTools.length >= MOST_NAMED) throw invalid(`${path}: at most ${MOST_NAMED} are taken.`)
  request.serverTools.push({ type, path, maxUses: DEFAULT_USES })
}

function addModel(request: NativeRequest, model: NamedModel) {
  if (request.models.length >= MOST_NAMED) throw invalid(`${model.path}: at most ${MOST_NAMED} are taken.`)
  request.models.push(model)
}

/** Undefined where the client asks for the usage itself, or writes something that the backend has to refuse. */
function usageSpliceOf(body: Uint8Array, options: Member | undefined): Splice | undefined {
  const asked = '"include_usage":true'
  if (!options) {
    const first = body.indexOf(OPEN_BRACE) + 1
    // The body has a member behind it: its model.
    return { start: first, end: first, text: `"stream_options":{${asked}},` }
  }
  const { start, end } = options
  if (body[start] !== OPEN_BRACE) {
    return scalarAt(body, options) === null ? { start, end, text: `{${asked}}` } : undefined
  }
  const includes = membersOf(body, options, INCLUDE_USAGE).get('include_usage')
  if (includes) return scalarAt(body, includes) === true ? undefined : { ...includes, text: 'true' }
  const isEmpty = body.subarray(start + 1, end - 1).every(isSpace)
  return { start: start + 1, end: start + 1, text: isEmpty ? asked : `${asked},` }
}

function invalid(problem: string): Refusal {
  return new Refusal('body_invalid', problem)
}
