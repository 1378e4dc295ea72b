/** The output items of a response while they grow: text, function calls, reasoning, each with its events. */

import { packReasoning } from '../reasoning-envelope.ts'
import type { Delta, StartedBlock } from './events.ts'
import type { Emit } from './responses-reply.ts'

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

export function createItems(emit: Emit, packsThinking: boolean) {
  const items: Item[] = []
  /** By the block's index. Several blocks of text in a row are one message. */
  const byBlock = new Map<number, Item>()
  const at = (item: Item) => ({ item_id: item.id, output_index: items.indexOf(item) })
  const added = (item: Item) => {
    items.push(item)
    return emit('response.output_item.added', { output_index: items.length - 1, item: view(item) })
  }
  const view = (item: Item): object => {
    const text = item.pieces.join('')
    const status = item.done ? 'completed' : 'in_progress'
    switch (item.kind) {
      case 'message':
        return {
          id: item.id,
          type: 'message',
          status,
          role: 'assistant',
          content: item.done ? [partOf(item)] : [],
        }
      case 'call':
        return {
          id: item.id,
          type: 'function_call',
          status,
          call_id: item.callId,
          name: item.name,
          arguments: item.done ? text || '{}' : '',
        }
      case 'reasoning': {
        const summary = item.done && text !== '' ? [{ type: 'summary_text', text }] : []
        const packed = packsThinking && item.done && item.signature !== ''
        const content = packed
          ? { encrypted_content: packReasoning({ thinking: text, signature: item.signature }) }
          : {}
        return { id: item.id, type: 'reasoning', summary, ...content }
      }
    }
  }
  const partOf = ({ pieces, annotations }: MessageItem) => {
    return { type: 'output_text', text: pieces.join(''), annotations, logprobs: [] }
  }

  /** The message that goes on, or a new one. */
  function message(): { item: MessageItem; events: string } {
    const last = items.at(-1)
    if (last?.kind === 'message' && !last.done) return { item: last, events: '' }
    const item: MessageItem = {
      kind: 'message',
      id: idOf('msg', items),
      pieces: [],
      annotations: [],
      done: false,
    }
    const events = closeMessage() + added(item)
    return {
      item,
      events:
        events + emit('response.content_part.added', { ...at(item), content_index: 0, part: partOf(item) }),
    }
  }
  function textDelta(item: MessageItem, text: string): string {
    item.pieces.push(text)
    return emit('response.output_text.delta', { ...at(item), content_index: 0, delta: text, logprobs: [] })
  }
  function closeMessage(): string {
    const last = items.at(-1)
    return last?.kind === 'message' && !last.done ? close(last) : ''
  }
  function close(item: Item): string {
    item.done = true
    const text = item.pieces.join('')
    // Events are numbered as they are written, so this one comes last.
    const done = () =>
      emit('response.output_item.done', { output_index: items.indexOf(item), item: view(item) })
    switch (item.kind) {
      case 'message': {
        const where = { ...at(item), content_index: 0 }
        const whole = emit('response.output_text.done', { ...where, text, logprobs: [] })
        return whole + emit('response.content_part.done', { ...where, part: partOf(item) }) + done()
      }
      case 'call': {
        const input = text || '{}'
        return (
          emit('response.function_call_arguments.done', { ...at(item), name: item.name, arguments: input }) +
          done()
        )
      }
      case 'reasoning': {
        if (text === '') return done()
        const where = { ...at(item), summary_index: 0 }
        const part = { type: 'summary_text', text }
        const whole = emit('response.reasoning_summary_text.done', { ...where, text })
        return whole + emit('response.reasoning_summary_part.done', { ...where, part }) + done()
      }
    }
  }

  return {
    output: () => items.map(view),
    start(index: number, block: StartedBlock): string {
      if (block.type === 'text') {
        const { item, events } = message()
        byBlock.set(index, item)
        return events + (block.text ? textDelta(item, block.text) : '')
      }
      if (block.type === 'tool_use') {
        const { id: callId, name } = block
        const item: CallItem = { kind: 'call', id: idOf('fc', items), callId, name, pieces: [], done: false }
        byBlock.set(index, item)
        return closeMessage() + added(item)
      }
      if (block.type !== 'thinking') return ''
      const item: ReasoningItem = {
        kind: 'reasoning',
        id: idOf('rs', items),
        pieces: [],
        signature: '',
        done: false,
      }
      byBlock.set(index, item)
      return closeMessage() + added(item)
    },
    delta(index: number, delta: Delta): string {
      const item = byBlock.get(index)
      if (delta.type === 'text_delta' && item?.kind === 'message') return textDelta(item, delta.text)
      if (delta.type === 'input_json_delta' && item?.kind === 'call' && delta.partial_json !== '') {
        item.pieces.push(delta.partial_json)
        return emit('response.function_call_arguments.delta', { ...at(item), delta: delta.partial_json })
      }
      if (delta.type === 'thinking_delta' && item?.kind === 'reasoning' && delta.thinking !== '') {
        const where = { ...at(item), summary_index: 0 }
        const part = { type: 'summary_text', text: '' }
        const opening =
          item.pieces.length === 0 ? emit('response.reasoning_summary_part.added', { ...where, part }) : ''
        item.pieces.push(delta.thinking)
        return opening + emit('response.reasoning_summary_text.delta', { ...where, delta: delta.thinking })
      }
      if (delta.type === 'signature_delta' && item?.kind === 'reasoning') item.signature += delta.signature
      if (delta.type === 'citations_delta' && item?.kind === 'message' && delta.citation.url) {
        const annotation = {
          type: 'url_citation',
          url: delta.citation.url,
          title: delta.citation.title ?? '',
        }
        item.annotations.push(annotation)
        const where = { ...at(item), content_index: 0, annotation_index: item.annotations.length - 1 }
        return emit('response.output_text.annotation.added', { ...where, annotation })
      }
      return ''
    },
    stop(index: number): string {
      const item = byBlock.get(index)
      return item && item.kind !== 'message' ? close(item) : ''
    },
    /** The answer is over; a refusal without any text becomes the text. */
    finish(refusal: string | undefined): string {
      const begun = refusal && items.length === 0 ? message() : undefined
      const told = begun && refusal ? begun.events + textDelta(begun.item, refusal) : ''
      return told + closeMessage()
    },
  }
}

/** Ids are told apart by position: each response has its own. */
function idOf(kind: string, items: readonly unknown[]): string {
  return `${kind}_${crypto.randomUUID().replaceAll('-', '')}_${items.length}`
}
