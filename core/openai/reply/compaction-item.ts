/** A summary among the output items, which only the gateway unpacks. */
import { packSummary } from '../reasoning-envelope.ts'
import type { ClaudeEvent, MessageEnd } from './events.ts'
import type { TextItem } from './item.ts'
import { refusalOf, UNFINISHED } from './projection.ts'

/** Why an answer may not take the place of a conversation; undefined for a summary that is whole. */
export function whyNoSummary(text: string, end: MessageEnd): string | undefined {
  const refusal = refusalOf(end)
  if (refusal !== undefined) return refusal
  if (end.stop_reason && UNFINISHED.has(end.stop_reason))
    return 'The summary was cut off: the model may write no more.'
  return text.trim() === '' ? 'Claude wrote no summary.' : undefined
}

/** Reads the events of an answer; it asks for a summary where it `compacts`. */
export function createSummaryCheck(compacts: boolean) {
  const pieces: string[] = []
  let end: MessageEnd = {}
  return {
    read(event: ClaudeEvent) {
      if (!compacts) return
      if (event.type === 'message_delta') end = event.delta
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta')
        pieces.push(event.delta.text)
    },
    missing: () => (compacts ? whyNoSummary(pieces.join(''), end) : undefined),
  }
}

export function createCompactionItem(): TextItem {
  const pieces: string[] = []
  return {
    hasNoStatus: true,
    text: () => '',
    delta(delta) {
      if (delta.type === 'text_delta') pieces.push(delta.text)
      return ''
    },
    refuse: () => '',
    end: () => '',
    view: (done) => ({ type: 'compaction', encrypted_content: done ? packSummary(pieces.join('')) : '' }),
  }
}
