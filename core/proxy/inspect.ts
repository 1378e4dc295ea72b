/** What the gateway needs to know of a Messages request, read from its bytes. The rest is the upstream's business. */
import { createScan, type Member } from '../json/scan.ts'

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
      /** metadata.user_id */
      userId: string | undefined
      /** The first object in `messages`; whoever may have said it, it stays the same through a conversation. */
      firstUserMessage: Span | undefined
    }
  /** `problem` is a sentence for a person. */
  | { ok: false; problem: string }

const LONGEST_MODEL = 256
const PIECE = 2048
const DECODER = new TextDecoder()
const CAPTURED: Readonly<Record<string, number>> = {
  model: 4096,
  stream: 16,
  max_tokens: 32,
  metadata: 16 * 1024,
}

/** Looks at the top level of `body` only. Of a repeated key the last counts, as for JSON.parse, but `model` must be one. */
export function inspect(body: Uint8Array): Inspected {
  const found = new Map<string, Member>()
  const models: Member[] = []
  const scan = createScan({
    capture: (key) => CAPTURED[key] ?? 0,
    onMember(member) {
      found.set(member.key, member)
      if (member.key === 'model') models.push(member)
    },
  })
  scan.write(body)
  if (scan.state() !== 'complete') return problem('The body is not a JSON object.')
  const names = models.map(({ value }) => parsed(value))
  const [model] = names
  if (typeof model !== 'string' || model === '') return problem('model: a non-empty string is required.')
  if (names.some((name) => name !== model)) return problem('model: it is given twice with different values.')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (model.length > LONGEST_MODEL || /[\u0000-\u001f\u007f\ufffd]/.test(model)) {
    return problem('model: this cannot be the name of a model.')
  }
  const stream = parsed(found.get('stream')?.value)
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    return problem('stream: true or false is expected.')
  }
  const maxTokens = parsed(found.get('max_tokens')?.value)
  const metadata = parsed(found.get('metadata')?.value)
  const userId = isRecord(metadata) ? metadata.user_id : undefined
  const messages = found.get('messages')
  return {
    ok: true,
    model,
    modelSpans: models.map(({ start, end }) => ({ start, end })),
    stream: stream === true,
    maxTokens: typeof maxTokens === 'number' && maxTokens >= 0 ? maxTokens : undefined,
    userId: typeof userId === 'string' && userId !== '' ? userId : undefined,
    firstUserMessage: messages && firstObjectIn(body, messages),
  }
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

/** From the first `{` of an array to the end of that object's last member. Costs no more than that object, however long the rest. */
function firstObjectIn(body: Uint8Array, { start, end }: Span): Span | undefined {
  const open = body[start] === 0x5b ? body.indexOf(0x7b, start) : -1
  if (open < 0 || open >= end) return undefined
  let length = 0
  const scan = createScan({
    capture: () => 0,
    onMember(member) {
      length = member.end
    },
  })
  for (let at = open; at < end && scan.state() === 'open'; at += PIECE) {
    scan.write(body.subarray(at, Math.min(at + PIECE, end)))
  }
  return { start: open, end: open + length }
}

function parsed(bytes: Uint8Array | undefined): unknown {
  if (!bytes) return undefined
  try {
    return JSON.parse(DECODER.decode(bytes))
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function problem(text: string): Inspected {
  return { ok: false, problem: text }
}
