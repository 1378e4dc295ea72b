/** What the gateway needs to know of a Messages request, read from its bytes. The rest is the upstream's business. */
import { parsedJson } from '../json/parse.ts'
import { createScan, isSpace, type Member, wantedKeys } from '../json/scan.ts'

const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b

export interface Span {
  start: number
  end: number
}

export type Inspected =
  | {
      ok: true
      model: string
      /** Every top-level `model` value: more than one only if they are equal. */
      modelSpans: Span[]
      stream: boolean
      maxTokens: number | undefined
      /** The value of `metadata` as it was written, and where that of `messages` is: looked into only when it is needed. */
      metadata: string | undefined
      messages: Span | undefined
    }
  /** `problem` is a sentence for a person. */
  | { ok: false; problem: string }

type Looked = Extract<Inspected, { ok: true }>

/** In characters; as JSON escapes each may take six bytes. */
const LONGEST_MODEL = 256
const PIECE = 2048
/** The most bytes to keep of each value that is looked at. */
const WANTED = wantedKeys({
  model: 6 * LONGEST_MODEL + 2,
  stream: 16,
  max_tokens: 32,
  metadata: 16 * 1024,
  messages: 0,
})
const NOTHING = wantedKeys({})
/** Control characters, and what stands for bytes that are none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]/

/**
 * Looks at the top level of `body` only, in time linear in its bytes and without parsing it: a body that is broken
 * deeper down passes, and the upstream answers for it. Of a repeated key the last counts, as for JSON.parse, but of
 * `model` all must be equal, since nobody knows which one the upstream takes.
 */
export function inspect(body: Uint8Array): Inspected {
  const found = new Map<string, Member>()
  const models: Member[] = []
  const scan = createScan(WANTED, (member) => {
    found.set(member.key, member)
    if (member.key === 'model') models.push(member)
  })
  scan.write(body)
  if (scan.state() !== 'complete') return problem('The body is not a JSON object.')
  const model = modelOf(models)
  if (!model.ok) return model
  const stream = found.get('stream')
  const streamed = stream === undefined ? false : parsedJson(stream.text)
  if (typeof streamed !== 'boolean') return problem('stream: true or false is expected.')
  const maxTokens = parsedJson(found.get('max_tokens')?.text)
  return {
    ok: true,
    model: model.name,
    modelSpans: models.map(({ start, end }) => ({ start, end })),
    stream: streamed,
    maxTokens: typeof maxTokens === 'number' && maxTokens >= 0 ? maxTokens : undefined,
    metadata: found.get('metadata')?.text,
    messages: found.get('messages'),
  }
}

/** metadata.user_id */
export function userIdOf({ metadata }: Looked): string | undefined {
  const value = parsedJson(metadata)
  const userId = isRecord(value) ? value.user_id : undefined
  return typeof userId === 'string' && userId !== '' ? userId : undefined
}

/** The first of the messages, whatever its role: it stays the same through a conversation. */
export function firstMessageOf(body: Uint8Array, { messages }: Looked): Span | undefined {
  return messages && firstObjectIn(body, messages)
}

function modelOf(models: readonly Member[]): { ok: true; name: string } | { ok: false; problem: string } {
  const [name, ...others] = models.map(({ text }) => parsedJson(text))
  if (models.some(({ text }) => text === undefined)) return problem('model: this is too long for a name.')
  if (typeof name !== 'string' || name === '') return problem('model: a non-empty string is required.')
  if (others.some((other) => other !== name))
    return problem('model: it is given twice with different values.')
  if (name.length > LONGEST_MODEL) return problem('model: this is too long for a name.')
  if (CONTROL.test(name)) return problem('model: control characters are not allowed.')
  return { ok: true, name }
}

/** The same bytes with each span replaced by `model` as a JSON string. */
export function withModel(body: Uint8Array, spans: readonly Span[], model: string): Uint8Array {
  const name = new TextEncoder().encode(JSON.stringify(model))
  const removed = spans.reduce((sum, { start, end }) => sum + end - start, 0)
  const changed = new Uint8Array(body.length - removed + spans.length * name.length)
  let from = 0
  let to = 0
  for (const { start, end } of spans) {
    changed.set(body.subarray(from, start), to)
    to += start - from
    changed.set(name, to)
    to += name.length
    from = end
  }
  changed.set(body.subarray(from), to)
  return changed
}

/** Costs no more than that object, however long the rest. Undefined if the array does not begin with an object. */
function firstObjectIn(body: Uint8Array, { start, end }: Span): Span | undefined {
  let open = start + 1
  while (isSpace(body[open])) open += 1
  if (body[start] !== OPEN_BRACKET || body[open] !== OPEN_BRACE) return undefined
  const scan = createScan(NOTHING, () => {})
  for (let at = open; at < end && scan.state() === 'open'; at += PIECE) {
    scan.write(body.subarray(at, Math.min(at + PIECE, end)))
  }
  const length = scan.end()
  return length === undefined ? undefined : { start: open, end: open + length }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function problem(text: string): { ok: false; problem: string } {
  return { ok: false, problem: text }
}
