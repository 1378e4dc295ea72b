/** Finds, in the bytes of an answer as they pass, the ids of what it made in its account. Never throws. */
import * as z from 'zod'
import { createPieces } from '../bytes.ts'
import type { Call } from '../calls/call.ts'
import type { MadeObject } from '../db/objects.ts'
import { boundedJson } from '../json/bounds.ts'
import { createScan } from '../json/scan.ts'
import { eventName } from '../sse/event-name.ts'
import { createEventReader } from '../sse/reader.ts'
import { DAY_MS } from '../units.ts'

export interface MadeReader {
  write(chunk: Uint8Array): void
  /** What was found so far. */
  made(): MadeObject[]
}

/** How long such ids may be named after the call that made them: no lifetime of theirs is documented. */
const LIFE_MS = { thread: 30 * DAY_MS, message: DAY_MS }
/** A container's id is kept beyond its expiry, because its account then tells the caller that it expired. */
const AFTER_EXPIRY_MS = DAY_MS
/** Answers and events that are larger are not looked into. */
const MOST_BYTES = 8 * 1024 * 1024
const MOST_FILES = 200
const LONGEST_ID = 256
const EVENTS = new Set(['message_start', 'message_delta', 'content_block_start'])
/** Blocks that the upstream writes itself. Others repeat what a model or a tool wrote, who may name any file. */
const MAKES_FILES = /^(container_upload|(bash_|text_editor_)?code_execution_tool_result)$/

const id = z.string().min(1).max(LONGEST_ID)
const Container = z.object({ id, expires_at: z.string().nullish() })
const Head = z.object({ id: id.optional().catch(undefined), container: Container.nullish().catch(undefined) })
const Block = z.object({
  type: z.string().regex(MAKES_FILES),
  file_id: id.optional(),
  content: z.unknown().optional(),
})
const Content = z.object({ content: z.array(z.unknown()) })
const Output = z.object({ file_id: id })

/** Undefined for a call whose answer can make nothing. */
export function createMadeReader(
  call: Pick<Call, 'makes' | 'createdAt'>,
  streamed: boolean,
): MadeReader | undefined {
  const { makes, createdAt } = call
  if (!makes) return undefined
  let messageId: string | undefined
  let container: z.infer<typeof Container> | undefined
  const files = new Set<string>()

  function readHead(value: unknown) {
    const head = Head.safeParse(value).data
    messageId = head?.id ?? messageId
    container = head?.container ?? container
  }
  function readBlock(value: unknown) {
    const block = Block.safeParse(value).data
    if (!block) return
    const outputs = Content.safeParse(block.content).data?.content ?? []
    for (const output of [block, ...outputs]) {
      const file = Output.safeParse(output).data
      if (file && files.size < MOST_FILES) files.add(file.file_id)
    }
  }
  function readEvent(name: string | undefined, value: unknown) {
    const event = Event.safeParse(value).data
    if (name === 'message_start') readHead(event?.message)
    // The id of a message stands at its start only.
    else if (name === 'message_delta') readHead({ container: event?.delta?.container })
    else readBlock(event?.content_block)
  }

  return {
    write: streamed ? streamReader(readEvent) : wholeReader(readHead, readBlock),
    made() {
      const made: MadeObject[] = [...files].map((file) => ({ kind: 'file', id: file, expiresAt: null }))
      if (container) {
        const expiry = Date.parse(container.expires_at ?? '')
        const expiresAt = Number.isNaN(expiry) ? null : expiry + AFTER_EXPIRY_MS
        made.push({ kind: 'container', id: container.id, expiresAt })
      }
      for (const kind of ['thread', 'message'] as const) {
        if (messageId !== undefined && makes[kind]) {
          made.push({ kind, id: messageId, expiresAt: createdAt + LIFE_MS[kind] })
        }
      }
      return made
    },
  }
}

const Event = z.object({
  message: z.unknown().optional(),
  delta: z.object({ container: z.unknown().optional() }).optional().catch(undefined),
  content_block: z.unknown().optional(),
})

function streamReader(readEvent: (name: string | undefined, value: unknown) => void) {
  const reader = createEventReader({
    most: (name) => (name === undefined || EVENTS.has(name) ? MOST_BYTES : 0),
    onEvent({ name: sentAs, data, whole }) {
      const name = data === undefined ? undefined : eventName(sentAs, data)
      if (whole && name !== undefined && EVENTS.has(name)) readEvent(name, boundedJson(data))
    },
  })
  return reader.write
}

const Whole = z.object({ content: z.array(z.unknown()).catch([]) })

/** Looked into once all of it is there: with its last byte it is one JSON object. */
function wholeReader(readHead: (value: unknown) => void, readBlock: (value: unknown) => void) {
  const pieces = createPieces()
  let isRead = false
  const scan = createScan([], () => {})
  return (chunk: Uint8Array) => {
    if (isRead) return
    pieces.add(chunk)
    if (pieces.size() > MOST_BYTES) {
      isRead = true
      pieces.take()
      return
    }
    scan.write(chunk)
    if (scan.state() !== 'complete') return
    isRead = true
    const value = boundedJson(new TextDecoder().decode(pieces.take()))
    readHead(value)
    for (const block of Whole.safeParse(value).data?.content ?? []) readBlock(block)
  }
}
