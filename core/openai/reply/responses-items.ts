/** Builds the output items of a response (text, function calls, reasoning) and the events that report them. */

import { packReasoning } from '../reasoning-envelope.ts'
import type { Delta, StartedBlock } from './events.ts'

/** The text of one OpenAI event. */
export type Emit = (type: string, fields: object) => string

interface MessageItem {
  kind: 'message'
  id: string
  pieces: string[]
  annotations: object[]
  done: boolean
}
interface CallItem {
  kind: 'call'
  id: string
  callId: string
  name: string
  pieces: string[]
  done: boolean
}
interface ReasoningItem {
  kind: 'reasoning'
  id: string
  pieces: string[]
  signature: string
  done: boolean
}
type Item = MessageItem | CallItem | ReasoningItem

interface Growing {
  readonly emit: Emit
  /** Whether reasoning items contain Claude's thinking, so that the next request can send it back. */
  readonly packsThinking: boolean
  readonly items: Item[]
  /** Index of a block → its item. Consecutive text blocks share one message. */
  readonly byBlock: Map<number, Item>
}

/** Each method except `output` returns the text of the events that it causes; '' if none. */
export function createItems(emit: Emit, packsThinking: boolean) {
  const growing: Growing = { emit, packsThinking, items: [], byBlock: new Map() }
  return {
    output: () => growing.items.map((item) => viewOf(growing, item)),
    start: (index: number, block: StartedBlock) => startBlock(growing, index, block),
    delta: (index: number, delta: Delta) => addDelta(growing, growing.byBlock.get(index), delta),
    stop(index: number): string {
      const item = growing.byBlock.get(index)
      return item && item.kind !== 'message' ? close(growing, item) : ''
    },
    /** Ends the answer; a refusal without output becomes a message. */
    finish(refusal: string | undefined): string {
      const begun = refusal && growing.items.length === 0 ? openMessage(growing) : undefined
      const last = begun && refusal ? begun.events + addText(growing, begun.item, refusal) : ''
      return last + closeMessage(growing)
    },
  }
}

function startBlock(growing: Growing, index: number, block: StartedBlock): string {
  const { items, byBlock } = growing
  if (block.type === 'text') {
    const { item, events } = openMessage(growing)
    byBlock.set(index, item)
    return events + (block.text ? addText(growing, item, block.text) : '')
  }
  if (block.type !== 'tool_use' && block.type !== 'thinking') return ''
  const item: Item =
    block.type === 'tool_use'
      ? { kind: 'call', id: idOf('fc', items), callId: block.id, name: block.name, pieces: [], done: false }
      : { kind: 'reasoning', id: idOf('rs', items), pieces: [], signature: '', done: false }
  byBlock.set(index, item)
  return closeMessage(growing) + open(growing, item)
}

function addDelta(growing: Growing, item: Item | undefined, delta: Delta): string {
  switch (item?.kind) {
    case 'message':
      if (delta.type === 'text_delta') return addText(growing, item, delta.text)
      return delta.type === 'citations_delta' ? addCitation(growing, item, delta.citation) : ''
    case 'call':
      return delta.type === 'input_json_delta' ? addArguments(growing, item, delta.partial_json) : ''
    case 'reasoning':
      if (delta.type === 'signature_delta') item.signature += delta.signature
      return delta.type === 'thinking_delta' ? addThinking(growing, item, delta.thinking) : ''
    default:
      return ''
  }
}

function addText(growing: Growing, item: MessageItem, text: string): string {
  item.pieces.push(text)
  const fields = { ...placeOf(growing, item), content_index: 0, delta: text, logprobs: [] }
  return growing.emit('response.output_text.delta', fields)
}

function addArguments(growing: Growing, item: CallItem, piece: string): string {
  if (piece === '') return ''
  item.pieces.push(piece)
  return growing.emit('response.function_call_arguments.delta', { ...placeOf(growing, item), delta: piece })
}

function addThinking(growing: Growing, item: ReasoningItem, thinking: string): string {
  if (thinking === '') return ''
  const { emit } = growing
  const where = { ...placeOf(growing, item), summary_index: 0 }
  const part = { type: 'summary_text', text: '' }
  const opening =
    item.pieces.length === 0 ? emit('response.reasoning_summary_part.added', { ...where, part }) : ''
  item.pieces.push(thinking)
  return opening + emit('response.reasoning_summary_text.delta', { ...where, delta: thinking })
}

type Citation = Extract<Delta, { type: 'citations_delta' }>['citation']

function addCitation(growing: Growing, item: MessageItem, { url, title }: Citation): string {
  if (!url) return ''
  const annotation = { type: 'url_citation', url, title: title ?? '' }
  item.annotations.push(annotation)
  const index = item.annotations.length - 1
  const where = { ...placeOf(growing, item), content_index: 0, annotation_index: index }
  return growing.emit('response.output_text.annotation.added', { ...where, annotation })
}

function open(growing: Growing, item: Item): string {
  growing.items.push(item)
  const fields = { output_index: growing.items.length - 1, item: viewOf(growing, item) }
  return growing.emit('response.output_item.added', fields)
}

/** The last item if it is an open message, else a new message. */
function openMessage(growing: Growing): { item: MessageItem; events: string } {
  const { items, emit } = growing
  const last = items.at(-1)
  if (last?.kind === 'message' && !last.done) return { item: last, events: '' }
  const id = idOf('msg', items)
  const item: MessageItem = { kind: 'message', id, pieces: [], annotations: [], done: false }
  const events = closeMessage(growing) + open(growing, item)
  const fields = { ...placeOf(growing, item), content_index: 0, part: partOf(item) }
  return { item, events: events + emit('response.content_part.added', fields) }
}

function closeMessage(growing: Growing): string {
  const last = growing.items.at(-1)
  return last?.kind === 'message' && !last.done ? close(growing, last) : ''
}

/** `emit` numbers events, so they are created in the order in which they are sent. */
function close(growing: Growing, item: Item): string {
  item.done = true
  const contentEvents = closeContent(growing, item)
  const fields = { output_index: growing.items.indexOf(item), item: viewOf(growing, item) }
  return contentEvents + growing.emit('response.output_item.done', fields)
}

function closeContent(growing: Growing, item: Item): string {
  const { emit } = growing
  const text = item.pieces.join('')
  const place = placeOf(growing, item)
  switch (item.kind) {
    case 'message': {
      const where = { ...place, content_index: 0 }
      const whole = emit('response.output_text.done', { ...where, text, logprobs: [] })
      return whole + emit('response.content_part.done', { ...where, part: partOf(item) })
    }
    case 'call': {
      const fields = { ...place, name: item.name, arguments: text || '{}' }
      return emit('response.function_call_arguments.done', fields)
    }
    case 'reasoning': {
      if (text === '') return ''
      const where = { ...place, summary_index: 0 }
      const part = { type: 'summary_text', text }
      const whole = emit('response.reasoning_summary_text.done', { ...where, text })
      return whole + emit('response.reasoning_summary_part.done', { ...where, part })
    }
  }
}

function placeOf({ items }: Growing, item: Item) {
  return { item_id: item.id, output_index: items.indexOf(item) }
}

/** The item as a response shows it: without content until it is done. */
function viewOf({ packsThinking }: Growing, item: Item): object {
  const { id, done } = item
  const text = item.pieces.join('')
  const status = done ? 'completed' : 'in_progress'
  switch (item.kind) {
    case 'message':
      return { id, type: 'message', status, role: 'assistant', content: done ? [partOf(item)] : [] }
    case 'call': {
      const { callId, name } = item
      return { id, type: 'function_call', status, call_id: callId, name, arguments: done ? text || '{}' : '' }
    }
    case 'reasoning': {
      const summary = done && text !== '' ? [{ type: 'summary_text', text }] : []
      const { signature } = item
      const packed = packsThinking && done && signature !== ''
      const content = packed ? { encrypted_content: packReasoning({ thinking: text, signature }) } : {}
      return { id, type: 'reasoning', summary, ...content }
    }
  }
}

function partOf({ pieces, annotations }: MessageItem) {
  return { type: 'output_text', text: pieces.join(''), annotations, logprobs: [] }
}

/** A unique id; it ends with the item's position. */
function idOf(kind: string, items: readonly unknown[]): string {
  return `${kind}_${crypto.randomUUID().replaceAll('-', '')}_${items.length}`
}
