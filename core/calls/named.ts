/**
 * What a Messages request names below its top level: models, objects that belong to one upstream account, server tools,
 * MCP servers, content by reference. The members are those of the newest SDK's request types, GA and beta:
 * https://github.com/anthropics/anthropic-sdk-typescript/blob/main/src/resources/beta/messages/messages.ts
 */
import type { Ability } from '../backends/kinds/ability.ts'
import type { ObjectKind } from '../db/objects.ts'
import { Refusal } from '../errors.ts'
import type { Member, Span } from '../json/scan.ts'
import { isOpener } from '../json/tokens.ts'
import { type FoundObject, keysToFind, type Scalar, scalarAt, walkingObjects } from '../json/walk.ts'

export interface NamedObject {
  kind: ObjectKind
  id: string
  /** Where the request names it, such as container.id. */
  path: string
}

/** A model beside the call's own, with the span of its JSON string. */
export interface NamedModel extends Span {
  name: string
  path: string
}

export interface Named {
  models: NamedModel[]
  /** Each once, by kind and id, in the order of the request. Those of kind `message` steer only. */
  objects: Map<string, NamedObject>
  /** What some kinds of backends cannot do, each once, with the path of the field that first asks for it. */
  uses: Map<Ability, string>
  /** Content is named by URL, file, container or thread: the size of the body tells nothing of it. */
  contentByReference: boolean
  /** Tools that the upstream runs itself. */
  serverTools: { type: string; path: string; maxUses: number }[]
  mcpServers: { url: string; path: string }[]
  /** `max_tokens` of each fallback; undefined for one that is no positive integer. */
  maxTokens: (number | undefined)[]
  /** Some part is asked for at fast speed. */
  fast: boolean
  /** It is to be answered in the US. */
  geoUs: boolean
  /** A cache is asked for that lives an hour. */
  longCache: boolean
  /** The top-level members looked into that are there and not null. */
  present: Set<string>
}

/** Uses that are assumed of a server tool without `max_uses`. */
export const DEFAULT_USES = 10
const MOST_OBJECTS = 1000
/** Models, tools that the upstream runs and MCP servers together. */
const MOST_OTHERS = 1_000
/** Claude takes as many messages; each part costs a little time in which nobody else is served. */
const MOST_PARTS = 100_000
const LONGEST_ID = 256
/** The first byte of null, and of nothing else in JSON. */
const NULL = 0x6e

/** Tools whose calls the client answers; of every other type, the upstream does. */
const CLIENT_TOOLS = /^(custom|(bash|text_editor|computer|memory|browser_toolset|computer_toolset)_\d{8})$/
/** Members that a client's own tools define or fill: a `model` or `file_id` in them means nothing to the upstream. */
const CLIENTS_OWN = ['input', 'input_schema', 'input_examples', 'schema', 'configs']
const OF_TOOLS = ['type', 'model', 'max_uses', 'ttl', 'file_id']
const KEYS = {
  content: keysToFind([...OF_TOOLS, 'definition', 'url'], CLIENTS_OWN),
  rest: keysToFind(
    [...OF_TOOLS, 'name', 'max_tokens', 'speed', 'id', 'url', 'skill_id', 'previous_message_id', 'format'],
    CLIENTS_OWN,
  ),
}

export function nothingNamed(): Named {
  return {
    models: [],
    objects: new Map(),
    uses: new Map(),
    contentByReference: false,
    serverTools: [],
    mcpServers: [],
    maxTokens: [],
    fast: false,
    geoUs: false,
    longCache: false,
    present: new Set(),
  }
}

/** Adds what one top-level member names, in steps. Throws a Refusal body_invalid for what can be understood in two ways. */
export function* addingNamed(named: Named, body: Uint8Array, member: Member): Generator<void, void> {
  const { key } = member
  if (body[member.start] !== NULL) {
    named.present.add(key)
    if (key === 'fallbacks') addUse(named, 'fallbacks', () => key)
    else if (key === 'thread') addUse(named, 'threads', () => key)
    else if (key === 'output_format') addUse(named, 'structured_outputs', () => key)
  }
  if (!isOpener(body[member.start] ?? 0)) {
    addScalar(named, body, member)
    return
  }
  const isContent = key === 'messages' || key === 'system'
  let parts = 0
  yield* walkingObjects(body, member, key, isContent ? KEYS.content : KEYS.rest, (object) => {
    parts += 1
    if (parts > MOST_PARTS) throw tooMany(key, `${MOST_PARTS} parts`)
    if (object.repeated) {
      throw new Refusal('body_invalid', `${object.path()}.${object.repeated}: it is given twice.`)
    }
    if (object.members.has('ttl') && object.scalar('ttl') === '1h') named.longCache = true
    if (isContent) addContent(named, object)
    else if (key === 'tools') addTool(named, object, object.depth === 1)
    else if (key === 'fallbacks') addFallback(named, object)
    else if (key === 'container') addContainer(named, object)
    else if (key === 'thread' && object.depth === 0) addThread(named, object)
    else if (key === 'diagnostics') addObject(named, object, 'message', 'previous_message_id')
    else if (key === 'mcp_servers' && object.depth === 1) addMcpServer(named, object)
    else if (key === 'output_config') addFormat(named, object)
    else addModel(named, object)
    const others = named.models.length + named.serverTools.length + named.mcpServers.length
    if (others > MOST_OTHERS) throw tooMany(key, `${MOST_OTHERS} models, server tools and MCP servers`)
  })
}

function tooMany(key: string, most: string): Refusal {
  return new Refusal('body_invalid', `${key}: at most ${most} are taken.`)
}

function addScalar(named: Named, body: Uint8Array, { key, start, end }: Member) {
  const value = scalarAt(body, { start, end })
  if (key === 'container') add(named, 'container', value, () => key)
  else if ((key === 'fallbacks' || key === 'fallback_model') && typeof value === 'string') {
    named.models.push({ name: value, path: key, start, end })
  }
}

function addContent(named: Named, object: FoundObject) {
  const { members, key } = object
  if (members.has('url') && object.scalar('type') === 'url') {
    named.contentByReference = true
    addUse(named, 'url_sources', object.path)
  }
  // A tool that joins in mid-conversation. Models named elsewhere in messages tell who answered earlier and ask for nothing.
  if (key === 'definition') addTool(named, object, true)
  addObject(named, object, 'file', 'file_id')
}

function addTool(named: Named, object: FoundObject, isTool: boolean) {
  addModel(named, object)
  addObject(named, object, 'file', 'file_id')
  const type = object.scalar('type')
  // A toolset is counted with its MCP server.
  if (!isTool || typeof type !== 'string' || CLIENT_TOOLS.test(type) || type === 'mcp_toolset') return
  const maxUses = positive(object.scalar('max_uses')) ?? DEFAULT_USES
  named.serverTools.push({ type, path: `${object.path()}.type`, maxUses })
  // Every place has the search of tools: https://platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool
  if (type.startsWith('tool_search')) return
  addUse(named, type.startsWith('web_search') ? 'web_search' : 'server_tools', object.path)
}

function addFallback(named: Named, object: FoundObject) {
  addModel(named, object)
  const maxTokens = object.scalar('max_tokens')
  if (object.members.has('max_tokens') && maxTokens !== null) named.maxTokens.push(positive(maxTokens))
  if (object.scalar('speed') === 'fast') named.fast = true
}

function addContainer(named: Named, object: FoundObject) {
  if (object.depth === 0) addObject(named, object, 'container', 'id')
  if (object.members.has('skill_id')) addUse(named, 'skills', object.path)
  if (object.scalar('type') !== 'anthropic') addObject(named, object, 'skill', 'skill_id')
}

function addFormat(named: Named, { depth, members, scalar, path }: FoundObject) {
  if (depth > 0 || !members.has('format') || scalar('format') === null) return
  addUse(named, 'structured_outputs', () => `${path()}.format`)
}

function addThread(named: Named, object: FoundObject) {
  addObject(named, object, 'thread', 'id')
  addObject(named, object, 'thread', 'previous_message_id')
}

function addMcpServer(named: Named, { scalar, path }: FoundObject) {
  const url = scalar('url')
  addUse(named, 'mcp_servers', path)
  named.mcpServers.push({ url: typeof url === 'string' ? url : '', path: `${path()}.url` })
}

function addModel(named: Named, { members, scalar, path }: FoundObject) {
  const span = members.get('model')
  const name = scalar('model')
  if (span && typeof name === 'string') named.models.push({ ...span, name, path: `${path()}.model` })
}

function addObject(named: Named, { members, scalar, path }: FoundObject, kind: ObjectKind, key: string) {
  if (members.has(key)) add(named, kind, scalar(key), () => `${path()}.${key}`)
}

function add(named: Named, kind: ObjectKind, id: Scalar | undefined, path: () => string) {
  if (id === null) return
  if (typeof id !== 'string' || id === '' || id.length > LONGEST_ID) {
    throw new Refusal('body_invalid', `${path()}: an id of at most ${LONGEST_ID} characters is expected.`)
  }
  if (kind !== 'message') named.contentByReference = true
  if (kind === 'file') addUse(named, 'file_sources', path)
  else if (kind === 'container') addUse(named, 'server_tools', path)
  const key = `${kind} ${id}`
  if (named.objects.has(key)) return
  if (named.objects.size >= MOST_OBJECTS) {
    throw new Refusal('body_invalid', `${path()}: a request may name ${MOST_OBJECTS} ids at most.`)
  }
  named.objects.set(key, { kind, id, path: path() })
}

function addUse({ uses }: Named, ability: Ability, path: () => string) {
  if (!uses.has(ability)) uses.set(ability, path())
}

/** Undefined for what is no positive integer. */
export function positive(number: unknown): number | undefined {
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : undefined
}
